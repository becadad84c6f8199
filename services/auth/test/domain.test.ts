import assert from 'node:assert/strict'
import { test } from 'node:test'
import { uuidv7 } from '@halles/kit/ids'
import {
  announceRevocation,
  type Credentials,
  endsSessions,
  losesRole,
  normalizeEmail,
  openSession,
  refuseThrottled,
} from '../src/domain.ts'

const at = new Date('2026-05-01T12:00:00Z')
const later = (ms: number) => new Date(at.getTime() + ms)
const withHash = (passwordHash: string): Credentials => ({
  subjectId: uuidv7(),
  version: 2,
  secret: { email: 'ana@example.org', passwordHash },
})

test('e-mails are compared without regard to case and blanks around them', () => {
  assert.equal(normalizeEmail(' Ana@Example.ORG '), 'ana@example.org')
})

test('nine failures are borne, the tenth makes everybody wait until the window ends', () => {
  refuseThrottled(undefined, at)
  refuseThrottled({ failures: 9, endsAt: later(60_000) }, at)
  assert.throws(() => refuseThrottled({ failures: 10, endsAt: later(60_000) }, at), {
    code: 'TOO_MANY_ATTEMPTS',
    kind: 'too-many',
    retryAfterSeconds: 60,
  })
  refuseThrottled({ failures: 10, endsAt: at }, at)
})

test('a changed hash ends sessions even when the command that came does not ask for it', () => {
  assert.equal(endsSessions('old', withHash('new'), false), true)
  assert.equal(endsSessions('same', withHash('same'), false), false)
  assert.equal(endsSessions('same', withHash('same'), true), true)
  assert.equal(endsSessions(null, withHash('first'), false), false)
})

test('only a role that is taken away ends sessions', () => {
  assert.equal(losesRole(['support'], ['support', 'auditor']), false)
  assert.equal(losesRole([], []), false)
  assert.equal(losesRole(['support', 'auditor'], ['auditor']), true)
})

test('a session can be refreshed for 30 days and ends after 90', () => {
  const session = openSession(uuidv7(), {
    id: uuidv7(),
    refreshHash: Buffer.alloc(32),
    device: null,
    at,
  })
  assert.equal(session.refreshExpiresAt.toISOString(), '2026-05-31T12:00:00.000Z')
  assert.equal(session.expiresAt.toISOString(), '2026-07-30T12:00:00.000Z')
})

test('many ended sessions are told in several events, none in none', () => {
  const options = { reason: 'erased', at, newId: uuidv7 } as const
  const subjectId = uuidv7()
  const sessionIds = Array.from({ length: 1_001 }, () => uuidv7())
  const messages = announceRevocation({ subjectId, sessionIds }, options)
  const told = messages.flatMap(
    ({ message }) => (message.data as { sessionIds: string[] }).sessionIds,
  )
  assert.equal(messages.length, 3)
  assert.deepEqual(told, sessionIds)
  assert.deepEqual(announceRevocation({ subjectId, sessionIds: [] }, options), [])
})
