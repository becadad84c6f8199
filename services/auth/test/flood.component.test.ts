import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { uuidv7 } from '@halles/kit/ids'
import { createPasswordHasher } from '@halles/kit/passwords'
import { createOpeningKey } from '@halles/kit/sealing-keys'
import { createTestDatabase, eventually, freePort, type TestDatabase } from '@halles/kit/testing'
import { startService } from './running-service.ts'

type Tokens = { refreshToken: string }

const email = 'odette@example.org'
const password = 'a long enough password'
const credentials = { email, password }
const flood = 400
const mib = 1024 * 1024

describe('a flood of sign-ins', () => {
  let store: TestDatabase
  let broker: TestDatabase
  const stops: (() => Promise<void>)[] = []

  before(async () => {
    store = await createTestDatabase()
    broker = await createTestDatabase()
  })

  after(async () => {
    for (const stop of stops) await stop()
    await broker.drop()
    await store.drop()
  })

  /** A replica that hashes one password at a time. */
  async function startAuth(maxWaitMs: number) {
    const metricsPort = await freePort()
    const auth = await startService('auth', await freePort(), {
      METRICS_PORT: String(metricsPort),
      DATABASE_URL: store.url,
      MESSAGES_URL: broker.url,
      INTERNAL_SECRET: 'an internal secret of more than 32 characters',
      SIGNING_KEY_SECRET: 'a signing key secret of more than 32 characters',
      CREDENTIALS_PRIVATE_KEYS: JSON.stringify(createOpeningKey()),
      HASHING_CONCURRENCY: '1',
      HASHING_MAX_WAIT_MS: String(maxWaitMs),
      LOG_LEVEL: 'silent',
    })
    stops.push(auth.stop)
    const passwordHash = await createPasswordHasher({ concurrency: 1, queueLimit: 1 }).hash(
      password,
    )
    await store.database.pool.query(
      `insert into credentials (subject_id, version, email, password_hash, updated_at)
       select $1, 1, $2, $3, now() where not exists (select from credentials)`,
      [uuidv7(), email, passwordHash],
    )
    const post = (path: string, body: object, signal?: AbortSignal) =>
      fetch(`${auth.url}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        ...(signal && { signal }),
      })
    const trySignIn = (signal?: AbortSignal) => post('/api/v1/sessions', credentials, signal)
    return {
      post,
      trySignIn,
      async signIn(): Promise<Tokens> {
        const answer = await trySignIn()
        assert.equal(answer.status, 201)
        return (await answer.json()) as Tokens
      },
      async measure(): Promise<(name: string) => number> {
        const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()
        return (name) => Number(new RegExp(`^${name}(?:\\{.*\\})? (.+)$`, 'm').exec(text)?.[1])
      },
    }
  }

  test('is answered or turned away in bounded memory, and every refresh goes on', async (t) => {
    const { post, trySignIn, signIn, measure } = await startAuth(500)
    const sessions: Tokens[] = []
    for (let count = 0; count < 4; count += 1) sessions.push(await signIn())
    const residentBefore = (await measure())('process_resident_memory_bytes')
    let isOver = false
    let refreshes = 0
    let peak = 0
    let running = 0
    const keepRefreshing = async ({ refreshToken }: Tokens) => {
      for (let token = refreshToken; !isOver; refreshes += 1) {
        const answer = await post('/api/v1/sessions/refresh', { refreshToken: token })
        assert.equal(answer.status, 200)
        token = ((await answer.json()) as Tokens).refreshToken
      }
    }
    const watch = async () => {
      while (!isOver) {
        const read = await measure()
        peak = Math.max(peak, read('process_resident_memory_bytes'))
        running = Math.max(running, read('hashing_running'))
      }
    }
    const others = Promise.all([...sessions.map(keepRefreshing), watch()])
    const answers = await Promise.all(
      Array.from({ length: flood }, async () => {
        const { status, headers } = await trySignIn()
        return { status, retryAfter: Number(headers.get('retry-after')) }
      }),
    )
    isOver = true
    await others

    const refused = answers.filter(({ status }) => status === 503)
    const admitted = answers.filter(({ status }) => status === 201)
    t.diagnostic(`${admitted.length} signed in, ${refused.length} refused, ${refreshes} refreshed`)
    assert.equal(refused.length + admitted.length, flood)
    assert.ok(refused.length > 0 && admitted.length > 0)
    assert.ok(refused.every(({ retryAfter }) => retryAfter >= 1 && retryAfter <= 15))
    assert.ok(refreshes >= sessions.length)
    assert.ok(running <= 1, `${running} hashes at once`)
    // 400 hashes at once would take 7.6 GB.
    assert.ok(peak - residentBefore < 200 * mib, `grew by ${(peak - residentBefore) / mib} MiB`)
  })

  test('whose senders hang up is not worked on', async () => {
    const { trySignIn, signIn, measure } = await startAuth(30_000)
    const leaving = new AbortController()
    const left = Promise.allSettled(Array.from({ length: 40 }, () => trySignIn(leaving.signal)))
    await eventually(async () => (await measure())('hashing_waiting') > 20)
    leaving.abort()
    await left
    await eventually(async () => {
      const read = await measure()
      return read('hashing_waiting') === 0 && read('hashing_running') === 0
    })
    const hashed = (await measure())('hashing_wait_seconds_count')
    assert.ok(hashed < 40, `${hashed} were hashed`)
    await signIn()
  })
})
