import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { uuidv7 } from '@halles/kit/ids'
import { createTestDatabase, silentLogger, type TestDatabase } from '@halles/kit/testing'
import { createTokenVerifier } from '@halles/kit/tokens'
import { createKeyRing, type KeyRing } from '../src/key-ring.ts'
import { createSigningKeyStore } from '../src/store/signing-keys.ts'
import { createTokenIssuer } from '../src/tokens.ts'

const day = 86_400_000
const secret = 'a signing key secret of more than 32 characters'
const migrations = { directory: new URL('../migrations', import.meta.url).pathname }

let fresh: TestDatabase
let now: Date

before(async () => {
  fresh = await createTestDatabase(migrations)
})
after(() => fresh.drop())
beforeEach(async () => {
  now = new Date()
  await fresh.database.pool.query('delete from signing_keys')
})

const aRing = (under = secret) =>
  createKeyRing({
    store: createSigningKeyStore(fresh.database),
    secret: under,
    tokenSeconds: 600,
    maxAgeMs: 90 * day,
    logger: silentLogger(),
    clock: () => now,
    newId: uuidv7,
  })

async function withRing<T>(use: (ring: KeyRing) => T | Promise<T>, under = secret): Promise<T> {
  const ring = aRing(under)
  await ring.start?.()
  try {
    return await use(ring)
  } finally {
    await ring.stop?.()
  }
}

const later = (ms: number) => {
  now = new Date(now.getTime() + ms)
}
const kidOf = (ring: KeyRing) => ring.signing().kid
const kidsOf = (ring: KeyRing) => ring.keys().map(({ kid }) => kid)

test('replicas that start at once agree on one key', async () => {
  const kids = await Promise.all([1, 2, 3, 4].map(() => withRing(kidOf)))
  assert.equal(new Set(kids).size, 1)
})

test('an old key is followed by a new one, which is published before it signs', async () => {
  const first = await withRing(kidOf)
  later(91 * day)
  const renewed = await withRing((ring) => {
    assert.equal(kidOf(ring), first)
    return kidsOf(ring)
  })
  assert.equal(renewed.length, 2)
  later(2 * 60_000)
  assert.equal(await withRing(kidOf), renewed[0])
})

test('a key stays published until the last token that it signed has expired', async () => {
  const first = await withRing(kidOf)
  later(91 * day)
  await withRing(kidOf)
  // It signs for another 90 seconds, and a token lives 600.
  later(690_000)
  assert.ok((await withRing(kidsOf)).includes(first))
  later(600_000)
  assert.ok(!(await withRing(kidsOf)).includes(first))
})

test('while replicas change keys, no token of any of them meets a verifier that lacks its key', async () => {
  // The rhythm of the replicas' rings and of a verifier, which asks now one, now the other.
  const rings = [aRing(), aRing()]
  const [ringSeconds, verifierSeconds, stepSeconds] = [20, 45, 5]
  const look = async (part: { start?(): Promise<void>; stop?(): Promise<void> }) => {
    await part.start?.()
    await part.stop?.()
  }
  let asked = 0
  const verifier = createTokenVerifier({
    fetchKeySet: async () => ({
      keys: rings[asked++ % 2]?.keys().map(({ jwk }) => jwk) ?? [],
    }),
    // An unknown key must be known before its first token comes, not be asked for then.
    minRefreshMs: Number.POSITIVE_INFINITY,
    logger: silentLogger(),
    clock: () => now.getTime(),
  })
  const issuers = rings.map((ring) => createTokenIssuer(ring, 600))
  const signedWith = new Set<string>()
  const claims = { subjectId: uuidv7(), sessionId: uuidv7(), roles: [] }
  await Promise.all(rings.map(look))
  later(90 * day - 60_000)
  for (let second = 0; second < 1_800; second += stepSeconds) {
    for (const [index, ring] of rings.entries()) {
      // The second replica is ten seconds behind the first.
      if (second % ringSeconds === index * 10) await look(ring)
    }
    if (second % verifierSeconds === 0) await look(verifier)
    for (const [index, ring] of rings.entries()) {
      signedWith.add(kidOf(ring))
      const token = issuers[index]?.issue(claims)
      assert.deepEqual(await verifier.verify(`Bearer ${token}`), claims, `second ${second}`)
    }
    later(stepSeconds * 1_000)
  }
  assert.equal(signedWith.size, 2)
})

test('the private key is not readable in the database', async () => {
  const key = await withRing((ring) => ring.signing().privateKey)
  const raw = Buffer.from(key.export({ format: 'jwk' }).d ?? '', 'base64url')
  assert.equal(raw.length, 32)
  const { rows } = await fresh.database.pool.query<{ private_key: Buffer }>(
    'select private_key from signing_keys',
  )
  assert.equal(rows[0]?.private_key.includes(raw), false)
})

test('another secret than the one that keys were stored under is named at start', async () => {
  await withRing(kidOf)
  await assert.rejects(
    withRing(kidOf, 'quite another secret of more than 32 characters'),
    /SIGNING_KEY_SECRET is not the one/,
  )
})

test('while one secret replaces another, keys are sealed anew and the old secret opens none', async () => {
  const next = 'the secret after that, of more than 32 characters'
  const first = await withRing(kidOf)
  // Accepted first, so that no replica meets a key that it cannot open.
  assert.equal(await withRing(kidOf, `${secret},${next}`), first)
  assert.equal(await withRing(kidOf), first)
  assert.equal(await withRing(kidOf, `${next},${secret}`), first)
  assert.equal(await withRing(kidOf, next), first)
  await assert.rejects(withRing(kidOf), /SIGNING_KEY_SECRET is not the one/)
})

test('a token that was altered, unsigned or made for somebody else is refused', async () => {
  await withRing(async (ring) => {
    const claims = { subjectId: uuidv7(), sessionId: uuidv7(), roles: ['support'] }
    const token = createTokenIssuer(ring, 600).issue(claims)
    const { verify } = createTokenVerifier({
      fetchKeySet: async () => ({ keys: ring.keys().map(({ jwk }) => jwk) }),
      logger: silentLogger(),
    })
    assert.deepEqual(await verify(`Bearer ${token}`), claims)
    const [head, body = '', signature] = token.split('.')
    const other = {
      ...JSON.parse(Buffer.from(body, 'base64url').toString()),
      roles: ['administrator'],
    }
    const altered = Buffer.from(JSON.stringify(other)).toString('base64url')
    const none = Buffer.from(JSON.stringify({ alg: 'none', kid: kidOf(ring) })).toString(
      'base64url',
    )
    for (const forged of [
      `${head}.${altered}.${signature}`,
      `${none}.${body}.x`,
      `x.${body}.${signature}`,
      'x',
      `${head}.${body}`,
    ]) {
      await assert.rejects(verify(`Bearer ${forged}`), { code: 'TOKEN_INVALID' })
    }
    await assert.rejects(verify(undefined), { code: 'AUTHENTICATION_REQUIRED' })
  })
})
