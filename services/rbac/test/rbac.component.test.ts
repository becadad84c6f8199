import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { permissions } from '@halles/contracts/gen/permissions'
import { uuidv7 } from '@halles/kit/ids'
import type { Message } from '@halles/kit/messaging'
import { createPostgresMessaging } from '@halles/kit/messaging/postgres'
import {
  createTestDatabase,
  eventually,
  silentLogger,
  type TestDatabase,
} from '@halles/kit/testing'
import { startTokenAuthority, type TokenAuthority } from '@halles/kit/testing-authority'
import { createApp, type RbacApp } from '../src/app.ts'
import { readConfig } from '../src/config.ts'

const internalSecret = 'an internal secret of more than 32 characters'
const admin = uuidv7()

type Answer = { status: number; etag: string | null; body: Record<string, unknown> }

describe('rbac', () => {
  let store: TestDatabase
  let broker: TestDatabase
  let authority: TokenAuthority
  let app: RbacApp
  const events: Message<Record<string, unknown>>[] = []
  const stops: (() => Promise<void> | void)[] = []

  const start = async () => {
    const started = createApp(
      readConfig({
        DATABASE_URL: store.url,
        MESSAGES_URL: broker.url,
        INTERNAL_SECRET: internalSecret,
        JWKS_URLS: authority.jwksUrl,
        ADMIN_SUBJECT_ID: admin,
        LOG_LEVEL: 'silent',
      }),
    )
    await started.start()
    return started
  }

  before(async () => {
    store = await createTestDatabase()
    broker = await createTestDatabase()
    authority = await startTokenAuthority()
    app = await start()
    const messaging = createPostgresMessaging({
      url: broker.url,
      service: 'test',
      instance: 'test',
      logger: silentLogger(),
    })
    messaging.subscribeTopic({
      topic: 'rbac.events.v1',
      from: 'start',
      handler: async ({ message }) => {
        events.push(message as Message<Record<string, unknown>>)
      },
    })
    await messaging.start()
    stops.push(() => messaging.stop())
  })

  after(async () => {
    await app.stop()
    for (const stop of stops) await stop()
    authority.close()
    await broker.drop()
    await store.drop()
  })

  async function call(
    method: string,
    path: string,
    options: { as?: string; roles?: string[]; body?: unknown; ifMatch?: string; to?: RbacApp } = {},
  ): Promise<Answer> {
    const { as = admin, roles = ['administrator'], body, ifMatch, to = app } = options
    const answer = await fetch(`http://127.0.0.1:${to.httpPort()}${path}`, {
      method,
      headers: {
        authorization: authority.bearer(as, roles),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    return {
      status: answer.status,
      etag: answer.headers.get('etag'),
      body: text === '' ? {} : JSON.parse(text),
    }
  }

  const policyOf = async (to: RbacApp) => {
    const answer = await fetch(`http://127.0.0.1:${to.httpPort()}/internal/v1/policy`, {
      headers: { authorization: `Internal ${internalSecret}` },
    })
    assert.equal(answer.status, 200)
    const { roles } = (await answer.json()) as {
      roles: { role: string; permissions: string[]; version: number }[]
    }
    return new Map(roles.map((role) => [role.role, role]))
  }

  test('a new database has the default roles and one administrator with every permission', async () => {
    const roles = await policyOf(app)
    assert.deepEqual([...roles.keys()].sort(), [
      'administrator',
      'auditor',
      'catalogue-manager',
      'order-manager',
      'support',
    ])
    assert.deepEqual(roles.get('administrator')?.permissions, Object.keys(permissions).sort())
    const { body, etag } = await call('GET', `/api/v1/subjects/${admin}/roles`)
    assert.deepEqual(body, { subjectId: admin, roles: ['administrator'], version: 1 })
    assert.equal(etag, '"1"')
    await eventually(() => events.length >= 6)
  })

  test('who is signed in learns what the own roles allow, without further permission', async () => {
    const as = uuidv7()
    const mine = await call('GET', '/api/v1/permissions/mine', { as, roles: ['order-manager'] })
    assert.equal(mine.status, 200)
    assert.deepEqual(mine.body, {
      roles: ['order-manager'],
      permissions: ['orders:read', 'orders:write', 'products:read'],
    })
    const { body } = await call('GET', '/api/v1/permissions/mine', { as, roles: [] })
    assert.deepEqual(body, { roles: [], permissions: [] })
  })

  test('a second start changes nothing', async () => {
    await call('PUT', '/api/v1/roles/support', { body: { permissions: ['customers:read'] } })
    const other = await start()
    try {
      const roles = await policyOf(other)
      assert.deepEqual(roles.get('support')?.permissions, ['customers:read'])
      assert.equal(roles.get('administrator')?.version, 1)
    } finally {
      await other.stop()
    }
  })

  test('a role that another replica changed is held by this one at once', async () => {
    const other = await start()
    try {
      await policyOf(other)
      const role = `role-${uuidv7().slice(0, 8)}`
      await call('PUT', `/api/v1/roles/${role}`, { body: { permissions: ['rbac:read'] } })
      await eventually(async () => (await policyOf(other)).has(role))
      const listed = await call('GET', '/api/v1/roles', { as: uuidv7(), roles: [role], to: other })
      assert.equal(listed.status, 200)
      await call('PUT', `/api/v1/roles/${role}`, { body: { permissions: [] } })
      await eventually(async () => {
        const refused = await call('GET', '/api/v1/roles', { roles: [role], to: other })
        assert.equal(refused.status, 403)
      })
    } finally {
      await other.stop()
    }
  })

  test('who has no permission is refused, and who has no token too', async () => {
    const path = `/api/v1/subjects/${admin}/roles`
    assert.equal((await call('GET', path, { roles: [] })).status, 403)
    const body = { roles: [] }
    assert.equal((await call('PUT', path, { roles: ['auditor'], body })).status, 403)
    const { status } = await fetch(`http://127.0.0.1:${app.httpPort()}${path}`)
    assert.equal(status, 401)
    const policy = await fetch(`http://127.0.0.1:${app.httpPort()}/internal/v1/policy`)
    assert.equal(policy.status, 401)
  })

  test('a subject that never had a role has version 0, and a stale change is refused', async () => {
    const path = `/api/v1/subjects/${uuidv7()}/roles`
    const none = await call('GET', path)
    assert.deepEqual([none.body.roles, none.body.version], [[], 0])
    const body = { roles: ['support'] }
    const first = await call('PUT', path, { body, ifMatch: none.etag ?? '' })
    assert.deepEqual([first.status, first.etag], [200, '"1"'])
    const stale = await call('PUT', path, { body: { roles: [] }, ifMatch: none.etag ?? '' })
    assert.deepEqual([stale.status, stale.body.code], [412, 'VERSION_MISMATCH'])
  })

  test('bad roles and permissions are answered with the field', async () => {
    const path = `/api/v1/subjects/${uuidv7()}/roles`
    const unknown = await call('PUT', path, { body: { roles: ['support', 'king'] } })
    assert.deepEqual([unknown.status, unknown.body.code], [422, 'UNKNOWN_ROLE'])
    assert.deepEqual(unknown.body.errors, [{ pointer: '/body/roles/1', detail: 'is not a role' }])
    const permission = await call('PUT', '/api/v1/roles/king', {
      body: { permissions: ['moon:walk'] },
    })
    assert.deepEqual([permission.status, permission.body.code], [422, 'UNKNOWN_PERMISSION'])
    assert.equal((await call('GET', '/api/v1/roles/king')).body.code, 'ROLE_NOT_FOUND')
    const cursor = await call('GET', '/api/v1/audit-log?cursor=abc')
    assert.deepEqual([cursor.status, cursor.body.code], [400, 'INVALID_CURSOR'])
  })

  test('of two administrators who remove each other at once, one stays', async () => {
    const other = uuidv7()
    const promoted = await call('PUT', `/api/v1/subjects/${other}/roles`, {
      body: { roles: ['administrator'] },
    })
    assert.equal(promoted.status, 200)
    const removals = await Promise.all(
      [admin, other].map((subject) =>
        call('PUT', `/api/v1/subjects/${subject}/roles`, { body: { roles: [] } }),
      ),
    )
    assert.deepEqual(removals.map(({ status }) => status).sort(), [200, 409])
    const refused = removals.find(({ status }) => status === 409)
    assert.equal(refused?.body.code, 'LAST_ADMINISTRATOR')
  })

  test('every change is in the audit log once, newest first, and cannot be taken out', async () => {
    const subject = uuidv7()
    for (const roles of [['support'], ['support'], []]) {
      await call('PUT', `/api/v1/subjects/${subject}/roles`, { body: { roles } })
    }
    const entries: { target: string; before: string[]; after: string[]; actorId: string }[] = []
    for (let cursor: unknown = ''; cursor !== null; ) {
      const { body } = await call(
        'GET',
        `/api/v1/audit-log?limit=2${cursor && `&cursor=${cursor}`}`,
      )
      entries.push(...(body.items as typeof entries))
      cursor = body.nextCursor
    }
    const mine = entries.filter(({ target }) => target === `subject:${subject}`)
    assert.deepEqual(
      mine.map(({ before, after }) => [before, after]),
      [
        [['support'], []],
        [[], ['support']],
      ],
    )
    assert.equal(mine[0]?.actorId, admin)
    await assert.rejects(store.database.pool.query('delete from audit_log'), /append-only/)
  })

  const record = async (body: unknown, authorization = `Internal ${internalSecret}`) => {
    const answer = await fetch(`http://127.0.0.1:${app.httpPort()}/internal/v1/audit-entries`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    const text = await answer.text()
    return { status: answer.status, body: text === '' ? {} : JSON.parse(text) }
  }

  test('what a service is about to do for somebody is in the audit log once', async () => {
    const entry = {
      id: uuidv7(),
      actorId: uuidv7(),
      action: 'dead-letter-replay',
      target: `dead-letter:${uuidv7()}`,
      details: { type: 'halles.products.price-changed.v1', limit: 100, ids: ['a', 'b'], to: null },
    }
    for (const _again of [1, 2]) assert.equal((await record(entry)).status, 204)
    const { body } = await call('GET', '/api/v1/audit-log?limit=5')
    const items = body.items as Record<string, unknown>[]
    const mine = items.filter(({ target }) => target === entry.target)
    assert.equal(mine.length, 1)
    const { at, ...kept } = mine[0] ?? {}
    assert.ok(Math.abs(Date.parse(String(at)) - Date.now()) < 60_000)
    assert.deepEqual(kept, { ...entry, before: [], after: [] })
    await assert.rejects(
      store.database.pool.query('update audit_log set at = now()'),
      /append-only/,
    )
  })

  test('only services write into the audit log, and nothing without a bound', async () => {
    const entry = { id: uuidv7(), actorId: admin, action: 'x', target: 'x', details: {} }
    assert.equal((await record(entry, authority.bearer(admin, ['administrator']))).status, 401)
    for (const [change, pointer] of [
      [{ action: 'Drop Table' }, '/body/action'],
      [{ target: '' }, '/body/target'],
      [{ actorId: 'me' }, '/body/actorId'],
      [{ details: { deep: {} } }, '/body/details/deep'],
      [{ details: { long: 'x'.repeat(501) } }, '/body/details/long'],
    ] as const) {
      const { status, body } = await record({ ...entry, ...change })
      assert.deepEqual([status, body.errors?.[0]?.pointer], [400, pointer])
    }
  })

  test('the events of a subject arrive in order with rising versions', async () => {
    const subject = uuidv7()
    const wanted = [['support'], ['auditor'], ['auditor', 'support'], []]
    for (const roles of wanted) {
      await call('PUT', `/api/v1/subjects/${subject}/roles`, { body: { roles } })
    }
    const arrived = await eventually(() => {
      const own = events.filter(({ subject: key }) => key === `subject:${subject}`)
      assert.equal(own.length, 4)
      return own
    })
    assert.deepEqual(
      arrived.map(({ data }) => [data.version, data.roles]),
      wanted.map((roles, index) => [index + 1, roles]),
    )
  })

  test('a role that nobody has is removed; made again it goes on where it ended', async () => {
    const path = '/api/v1/roles/pickers'
    const subjectId = uuidv7()
    const body = { permissions: ['orders:read'] }
    assert.equal((await call('PUT', path, { body })).status, 200)
    await call('PUT', `/api/v1/subjects/${subjectId}/roles`, { body: { roles: ['pickers'] } })
    const used = await call('DELETE', path)
    assert.deepEqual([used.status, used.body.code], [409, 'ROLE_IN_USE'])
    await call('PUT', `/api/v1/subjects/${subjectId}/roles`, { body: { roles: [] } })
    assert.equal((await call('DELETE', path, { ifMatch: '"9"' })).status, 412)
    assert.equal((await call('DELETE', path, { ifMatch: '"1"' })).status, 204)
    assert.equal((await call('GET', path)).status, 404)
    assert.equal((await call('DELETE', path)).status, 404)
    const unknown = await call('PUT', `/api/v1/subjects/${subjectId}/roles`, {
      body: { roles: ['pickers'] },
    })
    assert.deepEqual([unknown.status, unknown.body.code], [422, 'UNKNOWN_ROLE'])
    await eventually(() => {
      const told = events.filter(({ data }) => data.role === 'pickers').map(({ data }) => data)
      assert.deepEqual(
        told.map(({ version, permissions: held }) => [version, held]),
        [
          [1, ['orders:read']],
          [2, []],
        ],
      )
    })
    const empty = await call('PUT', path, { body: { permissions: [] } })
    assert.deepEqual([empty.status, empty.body.version], [200, 3])
    const administrator = await call('DELETE', '/api/v1/roles/administrator')
    assert.deepEqual(
      [administrator.status, administrator.body.code],
      [409, 'ADMINISTRATOR_ROLE_PROTECTED'],
    )
  })

  test('who has a role is listed page by page', async () => {
    const subjects = Array.from({ length: 3 }, () => uuidv7())
    for (const subjectId of subjects) {
      const path = `/api/v1/subjects/${subjectId}/roles`
      assert.equal((await call('PUT', path, { body: { roles: ['auditor'] } })).status, 200)
    }
    const seen: unknown[] = []
    let cursor = ''
    do {
      const query = `role=auditor&limit=2${cursor && `&cursor=${cursor}`}`
      const { status, body } = await call('GET', `/api/v1/subjects?${query}`)
      assert.equal(status, 200)
      seen.push(...(body.items as { subjectId: string }[]).map(({ subjectId }) => subjectId))
      cursor = (body.nextCursor as string | null) ?? ''
    } while (cursor !== '')
    assert.deepEqual(
      seen.filter((id) => subjects.includes(id as string)),
      subjects.toSorted(),
    )
    const all = await call('GET', '/api/v1/subjects?limit=100')
    const ids = (all.body.items as { subjectId: string }[]).map(({ subjectId }) => subjectId)
    assert.ok(subjects.every((subjectId) => ids.includes(subjectId)))
    assert.equal((await call('GET', '/api/v1/subjects?cursor=AAAA')).status, 400)
    assert.equal((await call('GET', '/api/v1/subjects', { roles: ['support'] })).status, 403)
  })

  test('everybody is told what they may do, and staff what there is to be allowed', async () => {
    const mine = await call('GET', '/api/v1/permissions/mine', {
      as: uuidv7(),
      roles: ['order-manager', 'catalogue-manager'],
    })
    assert.deepEqual(mine.body.roles, ['order-manager', 'catalogue-manager'])
    assert.deepEqual(mine.body.permissions, [
      'orders:read',
      'orders:write',
      'products:read',
      'products:write',
    ])
    const nobody = await call('GET', '/api/v1/permissions/mine', { as: uuidv7(), roles: [] })
    assert.deepEqual(nobody.body, { roles: [], permissions: [] })
    const { items } = (await call('GET', '/api/v1/permissions')).body as {
      items: { permission: string; description: string }[]
    }
    const listed = items.map(({ permission, description }) => [permission, description])
    assert.deepEqual(Object.fromEntries(listed), permissions)
  })
})
