import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import {
  type SecretCredentials,
  setCredentials,
  setCredentialsSealed,
} from '@halles/contracts/gen/messages/customers'
import { uuidv7 } from '@halles/kit/ids'
import type { Message } from '@halles/kit/messaging'
import { createPostgresMessaging } from '@halles/kit/messaging/postgres'
import { createOpener } from '@halles/kit/sealing'
import { createOpeningKey, publicPart } from '@halles/kit/sealing-keys'
import {
  createTestDatabase,
  eventually,
  silentLogger,
  type TestDatabase,
} from '@halles/kit/testing'
import { startTokenAuthority, type TokenAuthority } from '@halles/kit/testing-authority'
import { type CustomersApp, createApp } from '../src/app.ts'
import { readConfig } from '../src/config.ts'

type Answer = { status: number; etag: string | null; body: Record<string, unknown> }
type Command = { subjectId: string; version: number; sealed?: string; revokeSessions?: boolean }

const authKey = createOpeningKey()
const opener = createOpener({ privateKeys: [authKey], contract: setCredentialsSealed })
const config = {
  INTERNAL_SECRET: 'an internal secret of more than 32 characters',
  CREDENTIALS_PUBLIC_KEY: JSON.stringify(publicPart(authKey)),
  RBAC_URLS: 'http://127.0.0.1:1',
  LOG_LEVEL: 'silent',
}

/** What auth reads in a command. */
function secretOf({ data }: Message<Command>): Promise<SecretCredentials> {
  const { subjectId, version, sealed = '' } = data
  return opener.open(sealed, { type: setCredentials.type, subjectId, version })
}

const password = 'a long enough password'
const address = {
  name: 'Ana Lima',
  line1: '1, rue des Halles',
  postalCode: '75001',
  city: 'Paris',
  country: 'FR',
}

describe('customers', () => {
  let store: TestDatabase
  let broker: TestDatabase
  let authority: TokenAuthority
  let app: CustomersApp
  const commands: Message<Command>[] = []
  const stops: (() => Promise<void> | void)[] = []

  before(async () => {
    store = await createTestDatabase()
    broker = await createTestDatabase()
    authority = await startTokenAuthority([
      { role: 'support', permissions: ['customers:read'], version: 1 },
    ])
    app = createApp(
      readConfig({
        ...config,
        DATABASE_URL: store.url,
        MESSAGES_URL: broker.url,
        JWKS_URLS: authority.jwksUrl,
        RBAC_URLS: authority.url,
      }),
    )
    await app.start()
    const messaging = createPostgresMessaging({
      url: broker.url,
      service: 'test',
      instance: 'test',
      logger: silentLogger(),
    })
    messaging.consumeQueue({
      queue: 'auth.set-credentials',
      // One at a time, so that the order of arrival is the order of the queue.
      prefetch: 1,
      handler: async ({ message }) => {
        commands.push(message as Message<Command>)
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
    options: { as?: string; roles?: string[]; body?: unknown; ifMatch?: string } = {},
  ): Promise<Answer> {
    const { as, roles, body, ifMatch } = options
    const answer = await fetch(`http://127.0.0.1:${app.httpPort()}/api/v1/customers${path}`, {
      method,
      headers: {
        ...(as === undefined ? {} : { authorization: authority.bearer(as, roles) }),
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

  async function aCustomer(): Promise<{ id: string; email: string }> {
    const email = `${uuidv7()}@example.org`
    const { status, body } = await call('POST', '', { body: { email, password, name: 'Ana' } })
    assert.equal(status, 201)
    return { id: String(body.id), email }
  }

  const commandsFor = (subjectId: string, count: number) =>
    eventually(() => {
      const own = commands.filter(({ data }) => data.subjectId === subjectId)
      assert.equal(own.length, count)
      return own
    })

  test('an e-mail can be taken once, whatever its letters, also by many at once', async () => {
    const local = uuidv7()
    const spellings = [`${local}@Example.org`, `${local.toUpperCase()}@example.org`]
    const answers = await Promise.all(
      [...spellings, ...spellings].map((email) =>
        call('POST', '', { body: { email, password, name: 'Ana' } }),
      ),
    )
    assert.deepEqual(answers.map(({ status }) => status).sort(), [201, 409, 409, 409])
    const created = answers.find(({ status }) => status === 201)
    assert.equal(created?.body.email, `${local}@example.org`)
    assert.equal(created?.etag, '"1"')
    const refused = answers.find(({ status }) => status === 409)
    assert.equal(refused?.body.code, 'EMAIL_TAKEN')
    await commandsFor(String(created?.body.id), 1)
  })

  test('a profile is edited under the version that was read', async () => {
    const { id, email } = await aCustomer()
    const read = await call('GET', '/me', { as: id })
    assert.equal(read.body.email, email)
    const ifMatch = read.etag ?? ''
    const edited = await call('PATCH', '/me', { as: id, body: { name: 'Ana Lima' }, ifMatch })
    assert.deepEqual([edited.status, edited.body.name, edited.etag], [200, 'Ana Lima', '"2"'])
    const stale = await call('PATCH', '/me', { as: id, body: { name: 'Bo' }, ifMatch })
    assert.deepEqual([stale.status, stale.body.code], [412, 'VERSION_MISMATCH'])
    assert.equal((await call('PATCH', '/me', { as: id, body: { name: 'Bo' } })).status, 200)
  })

  test('of many that change a password at once one wins, and versions arrive in order', async () => {
    const { id } = await aCustomer()
    const answers = await Promise.all(
      Array.from({ length: 5 }, (_, n) =>
        call('PUT', '/me/password', {
          as: id,
          body: { currentPassword: password, newPassword: `new password ${n}` },
        }),
      ),
    )
    assert.deepEqual(answers.map(({ status }) => status).sort(), [202, 403, 403, 403, 403])
    const winner = answers.findIndex(({ status }) => status === 202)
    const edits = [1, 2, 3].map((n) => call('PATCH', '/me', { as: id, body: { name: `Ana ${n}` } }))
    const second = call('PUT', '/me/password', {
      as: id,
      body: { currentPassword: `new password ${winner}`, newPassword: 'the last one' },
    })
    await Promise.all([...edits, second])
    assert.equal((await second).status, 202)
    const sent = (await commandsFor(id, 3)).map(({ data }) => data)
    const versions = sent.map(({ version }) => version)
    assert.deepEqual(
      versions,
      [...new Set(versions)].sort((a, b) => a - b),
    )
    assert.deepEqual(
      sent.map(({ revokeSessions }) => revokeSessions),
      [false, true, true],
    )
  })

  test("an e-mail of somebody else is refused, and one's own changes nothing", async () => {
    const [one, other] = [await aCustomer(), await aCustomer()]
    const change = (email: string, currentPassword = password) =>
      call('PUT', '/me/email', { as: one.id, body: { email, currentPassword } })
    const taken = await change(other.email.toUpperCase())
    assert.deepEqual([taken.status, taken.body.code], [409, 'EMAIL_TAKEN'])
    assert.equal((await change('new@example.org', 'not it')).body.code, 'WRONG_PASSWORD')
    assert.equal((await change(one.email)).status, 202)
    assert.equal((await call('GET', '/me', { as: one.id })).body.version, 1)
    assert.equal((await change(`new.${one.email}`)).status, 202)
    const [, changed] = await commandsFor(one.id, 2)
    assert.ok(changed)
    assert.deepEqual([changed.data.version, changed.data.revokeSessions], [2, false])
    assert.equal((await secretOf(changed)).email, `new.${one.email}`)
  })

  test('what waits in the outbox shows neither e-mail nor hash, also of the first administrator', async (t) => {
    const home = await createTestDatabase()
    // A port where nobody listens: what is sent stays in the outbox.
    const away = new URL(broker.url)
    away.port = '1'
    const ADMIN_EMAIL = `${uuidv7()}@example.org`
    const lonely = createApp(
      readConfig({
        ...config,
        DATABASE_URL: home.url,
        MESSAGES_URL: away.href,
        JWKS_URLS: authority.jwksUrl,
        ADMIN_SUBJECT_ID: uuidv7(),
        ADMIN_EMAIL,
        ADMIN_PASSWORD: password,
      }),
    )
    await lonely.start()
    t.after(async () => {
      await lonely.stop()
      await home.drop()
    })
    const email = `${uuidv7()}@example.org`
    const sendTo = (method: string, path: string, body: object, headers = {}) =>
      fetch(`http://127.0.0.1:${lonely.httpPort()}/api/v1/customers${path}`, {
        method,
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
      })
    const created = await sendTo('POST', '', { email, password, name: 'Ana' })
    const { id } = (await created.json()) as { id: string }
    const as = { authorization: authority.bearer(id) }
    const next = { currentPassword: password, newPassword: 'the next password' }
    assert.equal((await sendTo('PUT', '/me/password', next, as)).status, 202)
    const moved = { currentPassword: 'the next password', email: `new.${email}` }
    assert.equal((await sendTo('PUT', '/me/email', moved, as)).status, 202)

    const { rows } = await home.database.pool.query<{ entry: string; message: Message<Command> }>(
      'select message, row_to_json(outbox)::text as entry from outbox order by id',
    )
    const secrets = await Promise.all(rows.map(({ message }) => secretOf(message)))
    const emails = [ADMIN_EMAIL, email, email, `new.${email}`]
    assert.deepEqual(
      secrets.map((secret) => secret.email),
      emails,
    )
    for (const { entry } of rows) {
      assert.doesNotMatch(entry, /argon2|example\.org/i)
      for (const secret of secrets) assert.equal(entry.includes(secret.passwordHash), false)
    }
  })

  test('addresses are kept, replaced, removed, and never seen by another', async () => {
    const [one, other] = [await aCustomer(), await aCustomer()]
    const body = { ...address, line2: 'Bât. B' }
    const added = await call('POST', '/me/addresses', { as: one.id, body })
    assert.equal(added.status, 201)
    const path = `/me/addresses/${added.body.id}`
    assert.deepEqual((await call('PUT', path, { as: one.id, body: address })).status, 200)
    const { body: listed } = await call('GET', '/me/addresses', { as: one.id })
    assert.deepEqual(listed.items, [{ id: added.body.id, address }])
    for (const [method, options] of [
      ['PUT', { body: address }],
      ['DELETE', {}],
    ] as const) {
      const { status, body: problem } = await call(method, path, { as: other.id, ...options })
      assert.deepEqual([status, problem.code], [404, 'ADDRESS_NOT_FOUND'])
    }
    assert.equal((await call('DELETE', path, { as: one.id })).status, 204)
    assert.deepEqual((await call('GET', '/me/addresses', { as: one.id })).body.items, [])
  })

  test('of many that add addresses at once, as many succeed as there is room', async () => {
    const { id } = await aCustomer()
    const add = () => call('POST', '/me/addresses', { as: id, body: address })
    for (let n = 0; n < 17; n += 1) assert.equal((await add()).status, 201)
    const answers = await Promise.all(Array.from({ length: 8 }, add))
    assert.equal(answers.filter(({ status }) => status === 201).length, 3)
    const refused = answers.filter(({ status }) => status === 409)
    assert.deepEqual(
      refused.map(({ body }) => body.code),
      Array.from({ length: 5 }, () => 'TOO_MANY_ADDRESSES'),
    )
  })

  test('edits at once each get a version of their own', async () => {
    const { id } = await aCustomer()
    const edits = await Promise.all(
      Array.from({ length: 10 }, (_, n) =>
        call('PATCH', '/me', { as: id, body: { name: `Ana ${n}` } }),
      ),
    )
    const versions = edits.map(({ body }) => Number(body.version)).sort((a, b) => a - b)
    assert.deepEqual(versions, [2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
  })

  test('an export holds what is known of the customer and no hash', async () => {
    const { id, email } = await aCustomer()
    await call('POST', '/me/addresses', { as: id, body: address })
    const { body } = await call('GET', '/me/export', { as: id })
    assert.equal((body.customer as { email: string }).email, email)
    assert.equal((body.addresses as unknown[]).length, 1)
    assert.equal(JSON.stringify(body).includes('argon2'), false)
  })

  test('an erased customer leaves no personal data, and a later command the next version', async () => {
    const { id, email } = await aCustomer()
    await call('POST', '/me/addresses', { as: id, body: address })
    const erase = (currentPassword: string) =>
      call('POST', '/me/erasure', { as: id, body: { currentPassword } })
    assert.equal((await erase('not it')).body.code, 'WRONG_PASSWORD')
    assert.equal((await erase(password)).status, 202)
    const [, removal] = await commandsFor(id, 2)
    assert.equal(removal?.type, 'halles.auth.remove-credentials.v1')
    assert.deepEqual(removal?.data, { subjectId: id, version: 2 })
    for (const path of ['/me', '/me/export']) {
      assert.equal((await call('GET', path, { as: id })).body.code, 'CUSTOMER_NOT_FOUND')
    }
    assert.equal((await call('POST', '/me/addresses', { as: id, body: address })).status, 404)
    const { rows } = await store.database.pool.query(
      'select row_to_json(customers)::text as kept from customers where id = $1',
      [id],
    )
    assert.equal(rows[0].kept.includes(email), false)
    const addresses = await store.database.pool.query(
      'select 1 from addresses where customer_id = $1',
      [id],
    )
    assert.equal(addresses.rowCount, 0)
    const again = await call('POST', '', { body: { email, password, name: 'Bo' } })
    assert.equal(again.status, 201)
  })

  test('a stranger is asked to sign in, and bad input names the field', async () => {
    assert.equal((await call('GET', '/me')).status, 401)
    const { status, body } = await call('POST', '', {
      body: { email: 'no e-mail', password: 'short', name: ' ', admin: true },
    })
    assert.equal(status, 400)
    const pointers = (body.errors as { pointer: string }[]).map(({ pointer }) => pointer)
    assert.deepEqual(pointers.sort(), [
      '/body/admin',
      '/body/email',
      '/body/name',
      '/body/password',
    ])
  })

  describe('the staff', () => {
    const staff = { as: uuidv7(), roles: ['support'] }
    type Page = { items: { id: string; email: string }[]; nextCursor: string | null }
    const list = async (query: string) =>
      (await call('GET', `?${query}`, staff)).body as unknown as Page

    test('find customers by a part of the e-mail or name, and by ids', async () => {
      const [ana, bo] = [await aCustomer(), await aCustomer()]
      await call('PATCH', '/me', { as: bo.id, body: { name: 'Bo_100%' } })
      const found = await list(`q=${ana.email.slice(4, 20).toUpperCase()}`)
      assert.deepEqual(
        found.items.map(({ id }) => id),
        [ana.id],
      )
      assert.deepEqual(Object.keys(found.items[0] ?? {}).sort(), [
        'createdAt',
        'email',
        'id',
        'name',
        'version',
      ])
      const named = await list('q=bo_100%25')
      assert.deepEqual(
        named.items.map(({ id }) => id),
        [bo.id],
      )
      const both = await list(`ids=${ana.id},${bo.id.toUpperCase()},${uuidv7()}`)
      assert.deepEqual(
        both.items.map(({ id }) => id),
        [bo.id, ana.id],
      )
    })

    test('read all customers page by page, newest first', async () => {
      const made = [(await aCustomer()).id, (await aCustomer()).id, (await aCustomer()).id]
      const first = await list('limit=2')
      const second = await list(`limit=2&cursor=${first.nextCursor}`)
      const seen = [...first.items, ...second.items].map(({ id }) => id)
      assert.deepEqual(seen.slice(0, 3), made.toReversed())
      const refused = await call('GET', '?cursor=AAAA', staff)
      assert.deepEqual([refused.status, refused.body.code], [400, 'INVALID_CURSOR'])
    })

    test('see a customer with the addresses, and never one that was erased', async () => {
      const { id, email } = await aCustomer()
      await call('POST', '/me/addresses', { as: id, body: address })
      const { status, body } = await call('GET', `/${id}`, staff)
      assert.equal(status, 200)
      const { customer, addresses } = body as {
        customer: { email: string }
        addresses: { address: object }[]
      }
      assert.equal(customer.email, email)
      assert.deepEqual(
        addresses.map((saved) => saved.address),
        [address],
      )
      assert.doesNotMatch(JSON.stringify(body), /argon2|hash/i)
      const erasure = { as: id, body: { currentPassword: password } }
      assert.equal((await call('POST', '/me/erasure', erasure)).status, 202)
      assert.equal((await call('GET', `/${id}`, staff)).status, 404)
      assert.deepEqual((await list(`ids=${id}`)).items, [])
    })

    test('need the permission', async () => {
      const { id } = await aCustomer()
      assert.equal((await call('GET', '', { as: id })).status, 403)
      assert.equal((await call('GET', `/${id}`, { as: id })).status, 403)
    })
  })
})
