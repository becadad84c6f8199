import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { uuidv7 } from '@halles/kit/ids'
import { inboxSchema } from '@halles/kit/inbox'
import { outboxSchema } from '@halles/kit/outbox'
import { createTestDatabase, eventually, type TestDatabase } from '@halles/kit/testing'
import fc from 'fast-check'
import { openSession } from '../src/domain.ts'
import type { Deps } from '../src/ports.ts'
import { createCredentialStore } from '../src/store/credentials.ts'
import { createSessionStore } from '../src/store/sessions.ts'
import { type ApplyCredentials, applyAssignment, applyCredentials } from '../src/use-cases.ts'

let fresh: TestDatabase
let deps: Deps

before(async () => {
  fresh = await createTestDatabase({
    directory: new URL('../migrations', import.meta.url).pathname,
    schemas: [inboxSchema, outboxSchema],
  })
  deps = {
    credentials: createCredentialStore(fresh.database),
    sessions: createSessionStore(fresh.database),
    passwords: { admit: () => undefined, verify: async () => false },
    opener: { open: () => Promise.reject(new Error('Nothing is sealed here.')) },
    dummyHash: '',
    tokens: { expiresInSeconds: 600, issue: () => '' },
    clock: () => new Date(),
    newId: uuidv7,
    newSecret: uuidv7,
    hash: (text) => Buffer.from(text),
  }
})
after(() => fresh.drop())

const hashOf = (version: number) => `$argon2id$${version}`

function aCommand(
  subjectId: string,
  version: number,
  options: { isRemoval?: boolean; revokeSessions?: boolean; passwordHash?: string } = {},
): ApplyCredentials {
  const { isRemoval = false, revokeSessions = isRemoval, passwordHash = hashOf(version) } = options
  const secret = isRemoval ? null : { email: `${subjectId}@Example.org`, passwordHash }
  return { messageId: uuidv7(), credentials: { subjectId, version, secret }, revokeSessions }
}

async function openFor(subjectId: string, passwordHash: string) {
  const id = uuidv7()
  const session = openSession(subjectId, {
    id,
    refreshHash: Buffer.from(id),
    device: null,
    at: new Date(),
  })
  return deps.sessions.open(session, { passwordHash, emailHash: Buffer.from(subjectId) })
}

async function holding(subjectId: string) {
  const { candidates } = await deps.credentials.findForSignIn(
    `${subjectId}@example.org`,
    Buffer.from(subjectId),
  )
  return candidates.map(({ passwordHash }) => passwordHash)
}

async function countSessions(subjectId: string): Promise<number> {
  const { rows } = await fresh.database.pool.query<{ count: string }>(
    `select count(*)::text as count from sessions where subject_id = $1`,
    [subjectId],
  )
  return Number(rows[0]?.count)
}

async function revocationsOf(
  subjectId: string,
): Promise<{ reason: string; sessionIds: string[] }[]> {
  const { rows } = await fresh.database.pool.query(
    `select message->'data' as data from outbox where partition_key = $1 order by id`,
    [subjectId],
  )
  return rows.map(({ data }) => data)
}

test('whatever the order and the repetitions, the newest credentials stay and no older session', async () => {
  const history = fc.integer({ min: 2, max: 6 }).chain((newest) =>
    fc.record({
      newest: fc.constant(newest),
      isRemovedAtLast: fc.boolean(),
      isParallel: fc.boolean(),
      order: fc.array(fc.integer({ min: 2, max: newest }), { maxLength: 8 }).chain((repeated) => {
        const once = Array.from({ length: newest - 1 }, (_, index) => index + 2)
        const all = [...once, ...repeated]
        return fc.shuffledSubarray(all, { minLength: all.length })
      }),
    }),
  )
  const property = fc.asyncProperty(history, async (run) => {
    const subjectId = uuidv7()
    const commands = new Map(
      Array.from({ length: run.newest }, (_, index) => {
        const isRemoval = run.isRemovedAtLast && index + 1 === run.newest
        return [index + 1, aCommand(subjectId, index + 1, { isRemoval })]
      }),
    )
    const apply = async (version: number) => {
      const command = commands.get(version)
      assert.ok(command)
      await applyCredentials(deps, command)
    }
    await apply(1)
    assert.deepEqual(await openFor(subjectId, hashOf(1)), [])
    if (run.isParallel) await Promise.all(run.order.map(apply))
    else for (const version of run.order) await apply(version)
    assert.deepEqual(await holding(subjectId), run.isRemovedAtLast ? [] : [hashOf(run.newest)])
    assert.equal(await countSessions(subjectId), 0)
  })
  await fc.assert(property, { numRuns: 60 })
})

test('a command that comes twice ends only the sessions that were open the first time', async () => {
  const subjectId = uuidv7()
  await applyCredentials(deps, aCommand(subjectId, 1))
  await openFor(subjectId, hashOf(1))
  const change = aCommand(subjectId, 2, { revokeSessions: true })
  await applyCredentials(deps, change)
  assert.deepEqual(await openFor(subjectId, hashOf(2)), [])
  await applyCredentials(deps, change)
  await applyCredentials(deps, { ...change, messageId: uuidv7() })
  assert.equal(await countSessions(subjectId), 1)
  const revocations = await revocationsOf(subjectId)
  assert.deepEqual(
    revocations.map(({ reason, sessionIds }) => [reason, sessionIds.length]),
    [['password-changed', 1]],
  )
})

test('a new e-mail leaves the sessions alone', async () => {
  const subjectId = uuidv7()
  await applyCredentials(deps, aCommand(subjectId, 1))
  await openFor(subjectId, hashOf(1))
  await applyCredentials(deps, aCommand(subjectId, 2, { passwordHash: hashOf(1) }))
  assert.equal(await countSessions(subjectId), 1)
})

test('a removed subject is not brought back by an older command', async () => {
  const subjectId = uuidv7()
  await applyCredentials(deps, aCommand(subjectId, 5, { isRemoval: true }))
  await applyCredentials(deps, aCommand(subjectId, 4))
  assert.deepEqual(await holding(subjectId), [])
})

test('a password that was changed while it was verified opens no session', async () => {
  const subjectId = uuidv7()
  await applyCredentials(deps, aCommand(subjectId, 1))
  await applyCredentials(deps, aCommand(subjectId, 2))
  assert.equal(await openFor(subjectId, hashOf(1)), undefined)
})

test('a sign-in that races a password change ends without a session of the old password', async () => {
  for (let round = 0; round < 20; round += 1) {
    const subjectId = uuidv7()
    await applyCredentials(deps, aCommand(subjectId, 1))
    await Promise.all([
      openFor(subjectId, hashOf(1)),
      applyCredentials(deps, aCommand(subjectId, 2)),
      openFor(subjectId, hashOf(1)),
    ])
    assert.equal(await countSessions(subjectId), 0)
  }
})

/** What the work results in when it begins while the statement is not committed yet. */
async function duringUncommitted<T>(
  statement: string,
  values: unknown[],
  work: () => Promise<T>,
): Promise<T> {
  const other = await fresh.database.pool.connect()
  try {
    await other.query('begin')
    await other.query(statement, values)
    let isSettled = false
    const result = work().finally(() => {
      isSettled = true
    })
    await eventually(async () => {
      const { rows } = await fresh.database.pool.query<{ waits: boolean }>(
        `select count(*) > 0 as waits from pg_stat_activity
         where datname = current_database() and wait_event_type = 'Lock'`,
      )
      return rows[0]?.waits === true || isSettled
    })
    await other.query('commit')
    return await result
  } finally {
    other.release()
  }
}

test('a sign-in waits for a password change that is under way, and then opens no session', async () => {
  const subjectId = uuidv7()
  await applyCredentials(deps, aCommand(subjectId, 1))
  const change = 'update credentials set version = 2, password_hash = $2 where subject_id = $1'
  const opened = await duringUncommitted(change, [subjectId, hashOf(2)], () =>
    openFor(subjectId, hashOf(1)),
  )
  assert.equal(opened, undefined)
})

test('a sign-in waits for a change of roles that is under way, and then has the new ones', async () => {
  const subjectId = uuidv7()
  await applyCredentials(deps, aCommand(subjectId, 1))
  const assignment = { subjectId, version: 1, roles: ['administrator'] }
  await applyAssignment(deps, { messageId: uuidv7(), assignment })
  const change = "update assignments set version = 2, roles = '{}' where subject_id = $1"
  const opened = await duringUncommitted(change, [subjectId], () => openFor(subjectId, hashOf(1)))
  assert.deepEqual(opened, [])
})

test('of two that refresh with one token the second waits, and gets nothing', async () => {
  const subjectId = uuidv7()
  await applyCredentials(deps, aCommand(subjectId, 1))
  const refreshHash = Buffer.from(uuidv7())
  const session = openSession(subjectId, {
    id: uuidv7(),
    refreshHash,
    device: null,
    at: new Date(),
  })
  const proof = { passwordHash: hashOf(1), emailHash: Buffer.from(subjectId) }
  assert.deepEqual(await deps.sessions.open(session, proof), [])
  const rotation = 'update sessions set refresh_hash = $2 where refresh_hash = $1'
  const next = [Buffer.from(uuidv7()), Buffer.from(uuidv7())] as const
  const second = await duringUncommitted(rotation, [refreshHash, next[0]], () =>
    deps.sessions.rotate(refreshHash, { refreshHash: next[1], at: new Date() }),
  )
  assert.equal(second, undefined)
})

test('a password that was guessed while other guesses reached the limit opens no session', async () => {
  const subjectId = uuidv7()
  await applyCredentials(deps, aCommand(subjectId, 1))
  for (let n = 0; n < 10; n += 1) {
    await deps.credentials.recordFailure(Buffer.from(subjectId), new Date())
  }
  assert.equal(await openFor(subjectId, hashOf(1)), undefined)
})

test('a role that was taken away ends the sessions, an added one does not', async () => {
  const subjectId = uuidv7()
  const assign = (version: number, roles: string[]) =>
    applyAssignment(deps, { messageId: uuidv7(), assignment: { subjectId, version, roles } })
  await applyCredentials(deps, aCommand(subjectId, 1))
  await assign(1, ['support'])
  assert.deepEqual(await openFor(subjectId, hashOf(1)), ['support'])
  await assign(2, ['auditor', 'support'])
  assert.equal(await countSessions(subjectId), 1)
  await assign(4, ['auditor'])
  assert.equal(await countSessions(subjectId), 0)
  await assign(3, ['administrator'])
  assert.deepEqual(await openFor(subjectId, hashOf(1)), ['auditor'])
  assert.deepEqual(
    (await revocationsOf(subjectId)).map(({ reason }) => reason),
    ['roles-changed'],
  )
})

test('expired sessions, their used tokens and old counts are deleted', async () => {
  const subjectId = uuidv7()
  await applyCredentials(deps, aCommand(subjectId, 1))
  await openFor(subjectId, hashOf(1))
  await deps.credentials.recordFailure(Buffer.from('a'), new Date())
  await deps.sessions.prune(new Date())
  assert.equal(await countSessions(subjectId), 1)
  await deps.sessions.prune(new Date(Date.now() + 31 * 86_400_000))
  assert.equal(await countSessions(subjectId), 0)
  const left = await fresh.database.pool.query('select 1 from sign_in_failures')
  assert.equal(left.rowCount, 0)
})
