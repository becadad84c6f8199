import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { uuidv7 } from '@halles/kit/ids'
import { createOpeningKey, publicPart } from '@halles/kit/sealing-keys'
import { createTestDatabase, eventually, freePort, type TestDatabase } from '@halles/kit/testing'
import { type RunningService, startService } from './running-service.ts'

type Tokens = { accessToken: string; refreshToken: string }

const credentialsKey = createOpeningKey()
const bootstrap = {
  ADMIN_SUBJECT_ID: uuidv7(),
  ADMIN_EMAIL: 'admin@example.org',
  ADMIN_PASSWORD: 'the password of the administrator',
}

describe('customers and auth', () => {
  const databases: TestDatabase[] = []
  const secrets = new Set<string>([bootstrap.ADMIN_PASSWORD, credentialsKey.d])
  let startAuth: () => Promise<RunningService>
  let startCustomers: () => Promise<RunningService>
  let auth: RunningService
  let customers: RunningService
  let output = ''

  before(async () => {
    const [credentials, users, broker] = await Promise.all(
      [1, 2, 3].map(() => createTestDatabase()),
    )
    assert.ok(credentials && users && broker)
    databases.push(credentials, users, broker)
    const [authPort, customersPort] = [await freePort(), await freePort()]
    const shared = {
      MESSAGES_URL: broker.url,
      INTERNAL_SECRET: 'an internal secret of more than 32 characters',
      JWKS_URLS: `http://127.0.0.1:${authPort}/.well-known/jwks.json`,
      LOG_LEVEL: 'trace',
    }
    startAuth = () =>
      startService('auth', authPort, {
        ...shared,
        DATABASE_URL: credentials.url,
        SIGNING_KEY_SECRET: 'a signing key secret of more than 32 characters',
        CREDENTIALS_PRIVATE_KEYS: JSON.stringify([credentialsKey]),
      })
    startCustomers = () =>
      startService('customers', customersPort, {
        ...shared,
        ...bootstrap,
        RBAC_URLS: 'http://127.0.0.1:1',
        CREDENTIALS_PUBLIC_KEY: JSON.stringify(publicPart(credentialsKey)),
        DATABASE_URL: users.url,
      })
    auth = await startAuth()
    customers = await startCustomers()
  })

  after(async () => {
    await stop(auth)
    await stop(customers)
    for (const database of databases) await database.drop()
  })

  async function stop(service: RunningService, signal?: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    await service.stop(signal)
    output += service.output()
  }

  async function whileAuthIsAway(
    signal: 'SIGTERM' | 'SIGKILL',
    work: () => Promise<void>,
  ): Promise<void> {
    await stop(auth, signal)
    try {
      await work()
    } finally {
      auth = await startAuth()
    }
  }

  async function call(
    url: string,
    options: { method?: string; body: Record<string, unknown>; token?: string },
  ): Promise<{ status: number; body: Record<string, unknown> }> {
    const { method = 'POST', body, token } = options
    for (const [name, value] of Object.entries(body)) {
      if (/password|token/i.test(name)) secrets.add(String(value))
    }
    const answer = await fetch(url, {
      method,
      headers: {
        'content-type': 'application/json',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(body),
    })
    const text = await answer.text()
    return { status: answer.status, body: text === '' ? {} : JSON.parse(text) }
  }

  const trySignIn = (email: string, password: string) =>
    call(`${auth.url}/api/v1/sessions`, { body: { email, password } })
  const tryRefresh = ({ refreshToken }: Tokens) =>
    call(`${auth.url}/api/v1/sessions/refresh`, { body: { refreshToken } })
  const changePassword = (token: string, currentPassword: string, newPassword: string) =>
    call(`${customers.url}/api/v1/customers/me/password`, {
      method: 'PUT',
      body: { currentPassword, newPassword },
      token,
    })

  const signIn = (email: string, password: string): Promise<Tokens> =>
    eventually(async () => {
      const { status, body } = await trySignIn(email, password)
      assert.equal(status, 201)
      const tokens = body as Tokens
      secrets.add(tokens.accessToken).add(tokens.refreshToken)
      return tokens
    })

  async function aCustomer() {
    const email = `${uuidv7()}@example.org`
    const password = `first password of ${email}`
    const { status } = await call(`${customers.url}/api/v1/customers`, {
      body: { email, password, name: 'Ana' },
    })
    assert.equal(status, 201)
    return { email, password, tokens: await signIn(email, password) }
  }

  test('who signs up can sign in once the command has arrived', async () => {
    const { tokens } = await aCustomer()
    assert.equal((await tryRefresh(tokens)).status, 200)
  })

  test('a new password ends the older sessions, and the old password no longer works', async () => {
    const { email, password, tokens } = await aCustomer()
    assert.equal((await changePassword(tokens.accessToken, password, 'second one')).status, 202)
    await signIn(email, 'second one')
    assert.equal((await trySignIn(email, password)).status, 401)
    assert.equal((await tryRefresh(tokens)).status, 401)
  })

  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    test(`passwords changed twice while auth is away after ${signal}: only the newest works`, async () => {
      const { email, password, tokens } = await aCustomer()
      const other = await signIn(email, password)
      const { accessToken } = tokens
      await whileAuthIsAway(signal, async () => {
        assert.equal((await changePassword(accessToken, password, 'second one')).status, 202)
        const wrong = await changePassword(accessToken, password, 'a stale change')
        assert.deepEqual([wrong.status, wrong.body.code], [403, 'WRONG_PASSWORD'])
        assert.equal((await changePassword(accessToken, 'second one', 'third one')).status, 202)
      })
      await signIn(email, 'third one')
      for (const old of [password, 'second one']) {
        assert.equal((await trySignIn(email, old)).status, 401)
      }
      for (const session of [tokens, other]) assert.equal((await tryRefresh(session)).status, 401)
    })
  }

  test('a change that was accepted right before customers was killed still arrives', async () => {
    const { email, password, tokens } = await aCustomer()
    const changed = await changePassword(tokens.accessToken, password, 'second one')
    assert.equal(changed.status, 202)
    await stop(customers, 'SIGKILL')
    customers = await startCustomers()
    await signIn(email, 'second one')
  })

  test('a new e-mail signs in and the old one no longer does; the sessions stay', async () => {
    const { email, password, tokens } = await aCustomer()
    const newEmail = `New.${email}`
    const { status } = await call(`${customers.url}/api/v1/customers/me/email`, {
      method: 'PUT',
      body: { email: newEmail, currentPassword: password },
      token: tokens.accessToken,
    })
    assert.equal(status, 202)
    await signIn(newEmail, password)
    assert.equal((await trySignIn(email, password)).status, 401)
    assert.equal((await tryRefresh(tokens)).status, 200)
  })

  test('an erased customer can no longer sign in, and the e-mail is free again', async () => {
    const { email, password, tokens } = await aCustomer()
    const erased = await call(`${customers.url}/api/v1/customers/me/erasure`, {
      body: { currentPassword: password },
      token: tokens.accessToken,
    })
    assert.equal(erased.status, 202)
    await eventually(async () => (await tryRefresh(tokens)).status === 401)
    assert.equal((await trySignIn(email, password)).status, 401)
    const again = await call(`${customers.url}/api/v1/customers`, {
      body: { email, password: 'another password', name: 'Bo' },
    })
    assert.equal(again.status, 201)
    await signIn(email, 'another password')
  })

  test('the first administrator keeps a changed password over a restart', async () => {
    const { ADMIN_EMAIL: email, ADMIN_PASSWORD: password } = bootstrap
    const { accessToken } = await signIn(email, password)
    assert.equal((await changePassword(accessToken, password, 'my own password')).status, 202)
    await signIn(email, 'my own password')
    await stop(customers)
    customers = await startCustomers()
    assert.equal((await trySignIn(email, password)).status, 401)
    await signIn(email, 'my own password')
  })

  test('no password, hash or token was written to any log', async () => {
    const everything = output + auth.output() + customers.output()
    const lines = everything.split('\n').filter((line) => line.startsWith('{'))
    assert.ok(lines.length > 0)
    assert.ok(secrets.size > 20)
    for (const secret of secrets) assert.equal(everything.includes(secret), false)
    assert.equal(everything.includes('$argon2id$v'), false)
  })
})
