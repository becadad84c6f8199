import assert from 'node:assert/strict'
import { createPublicKey, type JsonWebKey, verify } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { removeCredentials, setCredentials } from '@halles/contracts/gen/messages/customers'
import { assignmentChanged } from '@halles/contracts/gen/messages/rbac'
import { createMessage, type OutgoingMessage } from '@halles/contracts/message'
import { uuidv7 } from '@halles/kit/ids'
import type { Messaging } from '@halles/kit/messaging'
import { createPostgresMessaging } from '@halles/kit/messaging/postgres'
import { createPasswordHasher } from '@halles/kit/passwords'
import { createSealer } from '@halles/kit/sealing'
import { createOpeningKey, type OpeningKey } from '@halles/kit/sealing-keys'
import {
  createTestDatabase,
  eventually,
  silentLogger,
  type TestDatabase,
} from '@halles/kit/testing'
import { type AuthApp, createApp } from '../src/app.ts'
import { readConfig } from '../src/config.ts'

type Tokens = { accessToken: string; refreshToken: string; expiresInSeconds: number }
type Problem = { code: string; detail: string }
type Answer<Body> = { status: number; headers: Headers; body: Body }
type Revoked = { subjectId: string; sessionIds: string[]; reason: string }

const password = 'a long enough password'
const [newKey, oldKey] = [createOpeningKey(), createOpeningKey()]

describe('auth', () => {
  let store: TestDatabase
  let broker: TestDatabase
  let messaging: Messaging
  let app: AuthApp
  let passwordHash: string
  let skewMs = 0
  const revoked: Revoked[] = []

  before(async () => {
    store = await createTestDatabase()
    broker = await createTestDatabase()
    passwordHash = await createPasswordHasher({ concurrency: 1, queueLimit: 1 }).hash(password)
    const config = readConfig({
      DATABASE_URL: store.url,
      MESSAGES_URL: broker.url,
      INTERNAL_SECRET: 'an internal secret of more than 32 characters',
      SIGNING_KEY_SECRET: 'a signing key secret of more than 32 characters',
      CREDENTIALS_PRIVATE_KEYS: JSON.stringify({ keys: [newKey, oldKey] }),
      LOG_LEVEL: 'silent',
    })
    app = await createApp(config, { clock: () => new Date(Date.now() + skewMs) })
    await app.start()
    messaging = createPostgresMessaging({
      url: broker.url,
      service: 'test',
      instance: 'test',
      logger: silentLogger(),
    })
    messaging.subscribeTopic({
      topic: 'auth.events.v1',
      from: 'start',
      handler: async ({ message }) => {
        revoked.push(message.data as Revoked)
      },
    })
    await messaging.start()
  })

  after(async () => {
    await messaging.stop()
    await app.stop()
    await broker.drop()
    await store.drop()
  })

  async function call<Body>(
    method: string,
    path: string,
    options: { body?: unknown; token?: string } = {},
  ): Promise<Answer<Body>> {
    const { body, token } = options
    const answer = await fetch(`http://127.0.0.1:${app.httpPort()}${path}`, {
      method,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    return {
      status: answer.status,
      headers: answer.headers,
      body: (text === '' ? undefined : JSON.parse(text)) as Body,
    }
  }
  const trySignIn = (email: string, tried = password) =>
    call<Tokens & Problem>('POST', '/api/v1/sessions', { body: { email, password: tried } })
  const tryRefresh = (refreshToken: string) =>
    call<Tokens & Problem>('POST', '/api/v1/sessions/refresh', { body: { refreshToken } })
  const publish = (...messages: OutgoingMessage[]) => messaging.publisher.publish(messages)
  const envelope = () => ({ id: uuidv7(), at: new Date() })
  const setRoles = (subjectId: string, version: number, roles: string[]) => {
    const data = { key: `subject:${subjectId}`, subjectId, roles, version }
    return publish(createMessage(assignmentChanged, data, envelope()))
  }

  type Secret = { subjectId: string; email: string; version: number }

  /** Sends credentials as customers does; `sealedFor` is another message's when they were moved. */
  async function setSecret(secret: Secret, options: { key?: OpeningKey; sealedFor?: Secret } = {}) {
    const { key = newKey, sealedFor = secret } = options
    const { subjectId, version } = sealedFor
    const context = { type: setCredentials.type, subjectId, version }
    const sealer = createSealer({ publicKey: key })
    const sealed = await sealer.seal({ email: sealedFor.email, passwordHash }, context)
    const data = {
      subjectId: secret.subjectId,
      version: secret.version,
      sealed,
      revokeSessions: secret.version > 1,
    }
    await publish(createMessage(setCredentials, data, envelope()))
  }

  async function signIn(email: string): Promise<Tokens> {
    return eventually(async () => {
      const { status, body } = await trySignIn(email)
      assert.equal(status, 201)
      return body
    })
  }

  /** A subject that can sign in, with an e-mail of its own. */
  async function aSubject(): Promise<{ subjectId: string; email: string; tokens: Tokens }> {
    const subjectId = uuidv7()
    const email = `${subjectId}@example.org`
    await setSecret({ subjectId, email, version: 1 })
    return { subjectId, email, tokens: await signIn(email) }
  }

  const claimsOf = ({ accessToken }: Tokens) =>
    JSON.parse(Buffer.from(accessToken.split('.')[1] ?? '', 'base64url').toString()) as {
      sub: string
      sid: string
      roles: string[]
      iss: string
      aud: string
      iat: number
      exp: number
    }

  const revocationOf = (sessionId: string) =>
    eventually(() => {
      const found = revoked.find(({ sessionIds }) => sessionIds.includes(sessionId))
      assert.ok(found)
      return found
    })

  test('signing in gives a token that the published key verifies', async () => {
    const { subjectId, email } = await aSubject()
    const { body, headers } = await trySignIn(email.toUpperCase())
    assert.equal(headers.get('cache-control'), 'no-store')
    assert.equal(body.expiresInSeconds, 600)
    const { sub, iss, aud, iat, exp, roles } = claimsOf(body)
    assert.deepEqual([sub, iss, aud, exp - iat, roles], [subjectId, 'halles', 'halles', 600, []])
    const [head = '', claims = '', signature = ''] = body.accessToken.split('.')
    const { kid, alg } = JSON.parse(Buffer.from(head, 'base64url').toString())
    assert.equal(alg, 'EdDSA')
    const keySet = await call<{ keys: (JsonWebKey & { kid: string })[] }>(
      'GET',
      '/.well-known/jwks.json',
    )
    const key = keySet.body.keys.find((known) => known.kid === kid)
    assert.ok(key)
    assert.equal('d' in key, false)
    const publicKey = createPublicKey({ key, format: 'jwk' })
    const isSigned = verify(
      null,
      Buffer.from(`${head}.${claims}`),
      publicKey,
      Buffer.from(signature, 'base64url'),
    )
    assert.equal(isSigned, true)
  })

  test('an unknown e-mail and a wrong password get the same answer', async () => {
    const { email } = await aSubject()
    const wrong = await trySignIn(email, 'not the password')
    const unknown = await trySignIn(`${uuidv7()}@example.org`)
    const shapeOf = ({ status, headers, body }: Answer<Problem & { traceId?: string }>) => {
      const { traceId: _traceId, ...problem } = body
      const names = [...headers.keys()].sort()
      return { status, names, problem }
    }
    assert.equal(wrong.status, 401)
    assert.equal(wrong.body.code, 'INVALID_CREDENTIALS')
    assert.deepEqual(shapeOf(unknown), shapeOf(wrong))
  })

  test('ten failures make every further try wait, also for an e-mail that nobody has', async () => {
    const { email } = await aSubject()
    for (const tried of [email, `${uuidv7()}@example.org`]) {
      const codes: string[] = []
      for (let n = 0; n < 10; n += 1) codes.push((await trySignIn(tried, `guess ${n}`)).body.code)
      assert.deepEqual(new Set(codes), new Set(['INVALID_CREDENTIALS']))
      const refused = await trySignIn(tried)
      assert.deepEqual([refused.status, refused.body.code], [429, 'TOO_MANY_ATTEMPTS'])
      const waitSeconds = Number(refused.headers.get('retry-after'))
      assert.ok(waitSeconds > 0 && waitSeconds <= 900, `Retry-After: ${waitSeconds}`)
    }
    skewMs += 15 * 60_000 + 1_000
    assert.equal((await trySignIn(email)).status, 201)
    assert.equal((await trySignIn(email, 'a new guess')).status, 401)
  })

  test('a success forgets the failures before it', async () => {
    const { email } = await aSubject()
    for (let round = 0; round < 2; round += 1) {
      for (let n = 0; n < 9; n += 1) await trySignIn(email, `guess ${n}`)
      assert.equal((await trySignIn(email)).status, 201)
    }
  })

  test('guesses that are sent at once do not get past the limit', async () => {
    const { email } = await aSubject()
    const guesses = Array.from({ length: 30 }, (_, n) => trySignIn(email, `guess ${n}`))
    await Promise.all(guesses)
    assert.equal((await trySignIn(email)).status, 429)
  })

  test('a refresh token is good once and gives the next', async () => {
    const { tokens } = await aSubject()
    const next = await tryRefresh(tokens.refreshToken)
    assert.equal(next.status, 200)
    assert.notEqual(next.body.refreshToken, tokens.refreshToken)
    assert.equal(claimsOf(next.body).sid, claimsOf(tokens).sid)
    assert.equal((await tryRefresh(next.body.refreshToken)).status, 200)
  })

  test('a refresh token that is used again ends its session', async () => {
    const { tokens } = await aSubject()
    const { body: next } = await tryRefresh(tokens.refreshToken)
    const { body: last } = await tryRefresh(next.refreshToken)
    const reused = await tryRefresh(tokens.refreshToken)
    assert.deepEqual([reused.status, reused.body.code], [401, 'SESSION_REVOKED'])
    const dead = await tryRefresh(last.refreshToken)
    assert.deepEqual([dead.status, dead.body.code], [401, 'INVALID_REFRESH_TOKEN'])
    assert.equal((await revocationOf(claimsOf(tokens).sid)).reason, 'token-reused')
  })

  test('of many that refresh with one token at once, one wins', async () => {
    const { tokens } = await aSubject()
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => tryRefresh(tokens.refreshToken)),
    )
    const statuses = answers.map(({ status }) => status).sort()
    assert.deepEqual(statuses, [200, 401, 401, 401, 401, 401, 401, 401])
    assert.equal((await revocationOf(claimsOf(tokens).sid)).reason, 'token-reused')
  })

  test('a refresh token that nobody issued or that is too old is refused', async () => {
    const { tokens } = await aSubject()
    const unknown = await tryRefresh(Buffer.alloc(32).toString('base64url'))
    assert.deepEqual([unknown.status, unknown.body.code], [401, 'INVALID_REFRESH_TOKEN'])
    skewMs += 30 * 86_400_000 + 1_000
    assert.equal((await tryRefresh(tokens.refreshToken)).body.code, 'INVALID_REFRESH_TOKEN')
  })

  test('a session ends after 90 days however often it is refreshed', async () => {
    let { tokens } = await aSubject()
    for (const days of [29, 29, 29]) {
      skewMs += days * 86_400_000
      const refreshed = await tryRefresh(tokens.refreshToken)
      assert.equal(refreshed.status, 200)
      tokens = refreshed.body
    }
    skewMs += 4 * 86_400_000
    assert.equal((await tryRefresh(tokens.refreshToken)).status, 401)
  })

  test('signing out ends this session and leaves the others', async () => {
    const { email, tokens } = await aSubject()
    const other = await signIn(email)
    const { accessToken: token } = tokens
    assert.equal((await call('DELETE', '/api/v1/sessions/current', { token })).status, 204)
    assert.equal((await call('DELETE', '/api/v1/sessions/current', { token })).status, 204)
    assert.equal((await tryRefresh(tokens.refreshToken)).status, 401)
    assert.equal((await tryRefresh(other.refreshToken)).status, 200)
    assert.equal((await revocationOf(claimsOf(tokens).sid)).reason, 'signed-out')
    assert.equal((await call('DELETE', '/api/v1/sessions/current')).status, 401)
  })

  test('signing out everywhere ends every session, and cannot be asked by one that was ended', async () => {
    const { email, tokens } = await aSubject()
    const other = await signIn(email)
    const everywhere = (token: string) => call<Problem>('DELETE', '/api/v1/sessions', { token })
    assert.equal((await everywhere(tokens.accessToken)).status, 204)
    for (const { refreshToken } of [tokens, other]) {
      assert.equal((await tryRefresh(refreshToken)).status, 401)
    }
    const later = await signIn(email)
    const refused = await everywhere(tokens.accessToken)
    assert.deepEqual([refused.status, refused.body.code], [401, 'SESSION_REVOKED'])
    assert.equal((await tryRefresh(later.refreshToken)).status, 200)
  })

  test('roles reach the token; a role that is taken away ends the sessions', async () => {
    const { subjectId, email } = await aSubject()
    await setRoles(subjectId, 1, ['auditor', 'support'])
    const tokens = await eventually(async () => {
      const known = await signIn(email)
      assert.deepEqual(claimsOf(known).roles, ['auditor', 'support'])
      return known
    })
    await setRoles(subjectId, 2, ['support'])
    assert.equal((await revocationOf(claimsOf(tokens).sid)).reason, 'roles-changed')
    assert.equal((await tryRefresh(tokens.refreshToken)).status, 401)
    assert.deepEqual(claimsOf(await signIn(email)).roles, ['support'])
  })

  test('removed credentials end the sessions, and an older command does not bring them back', async () => {
    const { subjectId, email, tokens } = await aSubject()
    await publish(createMessage(removeCredentials, { subjectId, version: 3 }, envelope()))
    assert.equal((await revocationOf(claimsOf(tokens).sid)).reason, 'erased')
    await setSecret({ subjectId, email, version: 2 })
    await eventually(async () => {
      const { queues } = await messaging.stats()
      return queues.every(({ depth, inFlight }) => depth + (inFlight ?? 0) === 0)
    })
    assert.equal((await trySignIn(email)).status, 401)
  })

  test('while keys are rotated, commands for the old and the new one apply', async () => {
    const email = `${uuidv7()}@example.org`
    const subjectId = uuidv7()
    await setSecret({ subjectId, email, version: 1 }, { key: oldKey })
    await signIn(email)
    await setSecret({ subjectId, email: `new.${email}`, version: 2 }, { key: newKey })
    await signIn(`new.${email}`)
    assert.equal((await trySignIn(email)).status, 401)
  })

  test('credentials that were moved to another message, or sealed for nobody here, are dead letters', async () => {
    const { subjectId, email } = await aSubject()
    const intruder = uuidv7()
    const stolen = { subjectId, email, version: 1 }
    await setSecret({ subjectId: intruder, email, version: 1 }, { sealedFor: stolen })
    await setSecret({ subjectId, email, version: 9 }, { sealedFor: stolen })
    await setSecret({ subjectId, email, version: 10 }, { key: createOpeningKey() })
    const letters = await eventually(async () => {
      const { items } = await messaging.deadLetters.list({ limit: 10 })
      const own = items.filter(({ message }) => [intruder, subjectId].includes(message.subject))
      assert.equal(own.length, 3)
      return own
    })
    for (const { id, code } of letters) {
      assert.equal(code, 'SEALED_UNREADABLE')
      const letter = JSON.stringify(await messaging.deadLetters.get(id))
      assert.doesNotMatch(letter, /argon2|example\.org/)
    }
    await signIn(email)
  })

  test('everybody sees the own sessions and ends one of them', async () => {
    const { email, subjectId, tokens } = await aSubject()
    type Session = { id: string; device: string | null; isCurrent: boolean; lastUsedAt: string }
    const list = async (token: string) => {
      const answer = await call<{ items: Session[] }>('GET', '/api/v1/sessions', { token })
      assert.equal(answer.status, 200)
      return answer.body.items
    }
    const signedIn = await call<Tokens>('POST', '/api/v1/sessions', {
      body: { email, password, device: 'Firefox on Linux' },
    })
    const { accessToken: token } = signedIn.body
    const [newer, older] = await list(token)
    assert.deepEqual([newer?.device, newer?.isCurrent], ['Firefox on Linux', true])
    assert.deepEqual([older?.device, older?.isCurrent], [null, false])
    await tryRefresh(tokens.refreshToken)
    assert.deepEqual(
      (await list(token)).map(({ id }) => id),
      [older?.id, newer?.id],
    )

    const stranger = await aSubject()
    const end = (asker: string) =>
      call<Problem>('DELETE', `/api/v1/sessions/${older?.id}`, { token: asker })
    const refused = await end(stranger.tokens.accessToken)
    assert.deepEqual([refused.status, refused.body.code], [404, 'SESSION_NOT_FOUND'])
    assert.equal((await end(token)).status, 204)
    assert.equal((await end(token)).status, 404)
    assert.deepEqual(
      (await list(token)).map(({ id }) => id),
      [newer?.id],
    )
    await eventually(() => {
      const told = revoked.filter((each) => each.subjectId === subjectId)
      assert.deepEqual(
        told.map(({ sessionIds, reason }) => [sessionIds, reason]),
        [[[older?.id], 'signed-out']],
      )
    })
  })

  test('bad input names the field', async () => {
    const { status, body } = await call<{ errors: { pointer: string }[] }>(
      'POST',
      '/api/v1/sessions',
      { body: { email: 'no e-mail', remember: true } },
    )
    assert.equal(status, 400)
    const pointers = body.errors.map(({ pointer }) => pointer).sort()
    assert.deepEqual(pointers, ['/body/email', '/body/password', '/body/remember'])
  })
})
