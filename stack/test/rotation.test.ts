import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { finishRotation, rotatables, rotate } from '../src/rotation.ts'
import { loadSecrets, type Secrets } from '../src/secrets.ts'
import { databaseRoles } from '../src/topology.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'halles-rotation-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const read = () => loadSecrets(folder, databaseRoles)
const progress = () => undefined
const names = ['internal-secret', 'sealing-key']

/** What everybody runs with after each restart; the one of that number breaks. */
function stackThat(breaksAt?: number) {
  const seen: Secrets[] = []
  return {
    seen,
    async restart() {
      seen.push(read())
      if (seen.length === breaksAt) throw new Error('A part did not come back.')
    },
  }
}

const at = (days: number) => new Date(Date.now() + days * 86_400_000)

test('a new secret is accepted everywhere before anybody uses it', async () => {
  const old = read()
  const { seen, restart } = stackThat()
  await rotate(names, { dataFolder: folder, restart, progress })
  const [accepted, used] = seen.map(({ internalSecret }) => internalSecret.split(','))
  assert.equal(accepted?.[0], old.internalSecret)
  assert.deepEqual(used, accepted?.toReversed())
  const kids = seen.map(({ credentialsKeys }) => credentialsKeys.map(({ kid }) => kid))
  assert.equal(kids[0]?.[0], old.credentialsKeys[0]?.kid)
  assert.deepEqual(kids[1], kids[0]?.toReversed())
})

for (const breaksAt of [1, 2]) {
  test(`a rotation that broke at restart ${breaksAt} goes on with the same new secret`, async () => {
    const broken = stackThat(breaksAt)
    const options = { dataFolder: folder, progress }
    await assert.rejects(rotate(names, { ...options, restart: broken.restart }), /come back/)
    const known = read().internalSecret.split(',').toSorted()
    const whole = stackThat()
    await rotate(names, { ...options, restart: whole.restart })
    for (const secrets of [...broken.seen, ...whole.seen]) {
      assert.deepEqual(secrets.internalSecret.split(',').toSorted(), known)
    }
    assert.equal(read().rotations?.['internal-secret']?.step, 'used')
  })
}

test('the old secret goes when nothing of it can be good any more, or when it must', async () => {
  const options = { dataFolder: folder, progress, restart: stackThat().restart, isForced: false }
  const finish = { ...options, now: at(0.01) }
  await assert.rejects(finishRotation(names, finish), { code: 'ROTATION_NOT_BEGUN' })
  await rotate(names, options)
  await assert.rejects(rotate(names, options), { code: 'ROTATION_UNFINISHED' })
  await assert.rejects(finishRotation(names, finish), { code: 'ROTATION_TOO_SOON' })
  await finishRotation(['internal-secret'], finish)
  assert.ok(!read().internalSecret.includes(','))
  await finishRotation(['sealing-key'], { ...finish, now: at(8) })
  assert.equal(read().credentialsKeys.length, 1)
  assert.deepEqual(read().rotations, {})
})

test('an end that broke is ended by the next call', async () => {
  const options = { dataFolder: folder, progress, isForced: true, now: at(0) }
  await rotate(names, { ...options, restart: stackThat().restart })
  const broken = { ...options, restart: stackThat(1).restart }
  await assert.rejects(finishRotation(names, broken), /come back/)
  await finishRotation(names, { ...options, restart: stackThat().restart })
  assert.deepEqual(read().rotations, {})
})

test('every secret that can be rotated keeps its form', async () => {
  const all = Object.keys(rotatables)
  const options = { dataFolder: folder, progress, restart: stackThat().restart }
  const old = read()
  await rotate(all, options)
  await finishRotation(all, { ...options, isForced: true, now: at(0) })
  const { rotations, signingKeysSince, ...now } = read()
  assert.deepEqual(rotations, {})
  assert.ok(signingKeysSince)
  assert.deepEqual(Object.keys(now).sort(), Object.keys(old).sort())
  for (const rotatable of Object.values(rotatables)) {
    const [before, after] = [old, now].map((each) => rotatable.read(each))
    assert.equal(after?.length, 1)
    assert.notDeepEqual(after, before)
  }
})
