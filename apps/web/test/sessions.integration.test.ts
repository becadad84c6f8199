import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { createTestDatabase, type TestDatabase } from '@halles/kit/testing'
import { type Api, ApiProblem } from '../src/server/api.ts'
import { createRefresher } from '../src/server/refresh.ts'
import { createSealer } from '../src/server/sealing.ts'
import { createSessionStore, type Session, type SessionStore } from '../src/server/session-store.ts'
import { migrations, problem, secret } from './support.ts'

let database: TestDatabase
let sessions: SessionStore

before(async () => {
  database = await createTestDatabase({ directory: migrations })
  sessions = createSessionStore(database.database, createSealer(secret))
})
after(() => database.drop())

async function aSession(more: Partial<Session> = {}): Promise<Session> {
  const session: Session = {
    idHash: randomBytes(32),
    secrets: { accessToken: 'access-0', refreshToken: 'refresh-0', name: 'Ada' },
    customerId: null,
    accessExpiresAt: new Date(0),
    cartId: null,
    cartCount: 0,
    ...more,
  }
  await sessions.create(session)
  return session
}

const principal = { clientAddress: '203.0.113.9' }

/** An auth that ends the session when a refresh token is used twice, as ours does. */
function strictAuth() {
  let valid = 'refresh-0'
  let count = 0
  const call = async (_operation: string, { body }: { body?: { refreshToken: string } }) => {
    const given = body?.refreshToken
    await new Promise((resolve) => setImmediate(resolve))
    if (given !== valid) throw new ApiProblem('auth', problem(401, 'SESSION_REVOKED'))
    count += 1
    valid = `refresh-${count}`
    const data = { accessToken: `access-${count}`, refreshToken: valid, expiresInSeconds: 600 }
    return { data, isStale: false, etag: undefined }
  }
  return { api: { call } as unknown as Pick<Api, 'call'>, count: () => count }
}

const replica = (api: Pick<Api, 'call'>) => createRefresher({ sessions, api, now: Date.now })

test('what a session holds cannot be read in the database, nor moved to another row', async () => {
  const mine = await aSession()
  const other = await aSession({ secrets: { accessToken: 'another' } })
  const { pool } = database.database
  const { rows } = await pool.query('select sealed from sessions where id_hash = $1', [mine.idHash])
  assert.doesNotMatch(rows[0].sealed.toString('latin1'), /access-0|refresh-0|Ada/)
  await pool.query('update sessions set sealed = $1 where id_hash = $2', [
    rows[0].sealed,
    other.idHash,
  ])
  assert.deepEqual((await sessions.find(other.idHash))?.secrets, {})
  assert.deepEqual((await sessions.find(mine.idHash))?.secrets, mine.secrets)
})

test('another secret opens nothing, and the session is that of a guest', async () => {
  const mine = await aSession()
  const rotated = createSessionStore(
    database.database,
    createSealer('another-secret-of-at-least-32-characters'),
  )
  assert.deepEqual((await rotated.find(mine.idHash))?.secrets, {})
})

test('while one secret replaces another, the sessions of both are open', async () => {
  const mine = await aSession()
  const next = 'the-next-secret-of-at-least-32-characters'
  const storeWith = (text: string) => createSessionStore(database.database, createSealer(text))
  for (const both of [`${secret},${next}`, `${next},${secret}`]) {
    assert.deepEqual((await storeWith(both).find(mine.idHash))?.secrets, mine.secrets)
  }
  assert.deepEqual((await storeWith(next).find(mine.idHash))?.secrets, {})
})

test('a session that has expired is gone, and is removed in batches', async () => {
  const mine = await aSession()
  await database.database.pool.query(
    "update sessions set expires_at = now() - interval '1 second' where id_hash = $1",
    [mine.idHash],
  )
  assert.equal(await sessions.find(mine.idHash), undefined)
  assert.equal(await sessions.update(mine.idHash, () => ({ cartCount: 1 })), false)
  assert.equal(await sessions.removeExpired(10), 1)
})

test('many tabs on several replicas exchange a refresh token once and all go on', async () => {
  const session = await aSession()
  const auth = strictAuth()
  const replicas = [replica(auth.api), replica(auth.api), replica(auth.api)]
  const refreshed = await Promise.all(
    Array.from({ length: 24 }, (_, tab) =>
      replicas[tab % replicas.length]?.refresh(session, principal),
    ),
  )
  assert.equal(auth.count(), 1)
  for (const each of refreshed) assert.equal(each?.secrets.accessToken, 'access-1')
  const stored = await sessions.find(session.idHash)
  assert.equal(stored?.secrets.refreshToken, 'refresh-1')
  assert.equal(stored?.secrets.name, 'Ada')
})

test('a session that auth has ended is removed', async () => {
  const session = await aSession({ secrets: { accessToken: 'a', refreshToken: 'used-before' } })
  assert.equal(await replica(strictAuth().api).refresh(session, principal), undefined)
  assert.equal(await sessions.find(session.idHash), undefined)
})

test('while auth is away nobody is signed out, and the next try succeeds', async () => {
  const session = await aSession()
  const call = async () => {
    throw new ApiProblem('auth', problem(503, 'UPSTREAM_UNAVAILABLE'))
  }
  const failing = replica({ call } as unknown as Pick<Api, 'call'>)
  await assert.rejects(failing.refresh(session, principal), { part: 'auth' })
  const renewed = await replica(strictAuth().api).refresh(session, principal)
  assert.equal(renewed?.secrets.accessToken, 'access-1')
})

test('a count that is saved while tokens are renewed loses neither', async () => {
  const session = await aSession()
  await Promise.all([
    replica(strictAuth().api).refresh(session, principal),
    ...[1, 2, 3].map((cartCount) => sessions.update(session.idHash, () => ({ cartCount }))),
  ])
  const stored = await sessions.find(session.idHash)
  assert.equal(stored?.secrets.refreshToken, 'refresh-1')
  assert.ok((stored?.cartCount ?? 0) > 0)
})
