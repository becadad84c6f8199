import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createOpeningKey, publicPart } from '@halles/kit/sealing-keys'
import { createTestDatabase, eventually, freePort, type TestDatabase } from '@halles/kit/testing'
import { startTokenAuthority } from '@halles/kit/testing-authority'
import { startService } from '../../services/auth/test/running-service.ts'

const replicas = 3
const sealing = createOpeningKey()
const administrator = { ADMIN_SUBJECT_ID: '01a20000-0000-7000-8000-000000000001' }

type FirstStart = {
  service: string
  env: Record<string, string>
  /** What is made once in the life of a database: rows in a table of the service. */
  makes: Record<string, number>
  /** Messages that tell of it, as a query of the broker. */
  tells: string
  told: number
}

const firstStarts: FirstStart[] = [
  {
    service: 'auth',
    env: {
      SIGNING_KEY_SECRET: 'a signing key secret of more than 32 characters',
      CREDENTIALS_PRIVATE_KEYS: JSON.stringify(sealing),
    },
    makes: { signing_keys: 1 },
    tells: `topic_messages where topic = 'auth.events.v1'`,
    told: 0,
  },
  {
    service: 'rbac',
    env: administrator,
    makes: { roles: 5, assignments: 1, audit_log: 6 },
    tells: `topic_messages where topic = 'rbac.events.v1'`,
    told: 6,
  },
  {
    service: 'customers',
    env: {
      ...administrator,
      ADMIN_EMAIL: 'admin@example.org',
      ADMIN_PASSWORD: 'a long enough password',
      CREDENTIALS_PUBLIC_KEY: JSON.stringify(publicPart(sealing)),
    },
    makes: { customers: 1 },
    tells: `queue_messages where queue = 'auth.set-credentials'`,
    told: 1,
  },
  {
    service: 'products',
    env: { DEMO_CATALOGUE: 'true' },
    makes: { products: 24 },
    tells: `topic_messages where topic = 'products.events.v1'`,
    told: 24,
  },
]

async function countRows({ database }: TestDatabase, from: string): Promise<number> {
  const { rows } = await database.pool.query<{ count: number }>(`select count(*) from ${from}`)
  return Number(rows[0]?.count)
}

for (const { service, env, makes, tells, told } of firstStarts) {
  test(`replicas of ${service} that start at once on a new database do what is done once, once`, async (t) => {
    const own = await createTestDatabase()
    const broker = await createTestDatabase()
    const authority = await startTokenAuthority()
    t.after(async () => {
      authority.close()
      await own.drop()
      await broker.drop()
    })
    const started = await Promise.all(
      Array.from({ length: replicas }, async () =>
        startService(service, await freePort(), {
          DATABASE_URL: own.url,
          MESSAGES_URL: broker.url,
          INTERNAL_SECRET: 'an internal secret of more than 32 characters',
          JWKS_URLS: authority.jwksUrl,
          RBAC_URLS: authority.url,
          LOG_LEVEL: 'warn',
          ...env,
        }),
      ),
    )
    try {
      for (const [table, rows] of Object.entries(makes)) {
        assert.equal(await countRows(own, table), rows, table)
      }
      await eventually(async () => (await countRows(own, 'outbox')) === 0)
      assert.equal(await countRows(broker, tells), told)
    } finally {
      await Promise.all(started.map((replica) => replica.stop()))
    }
  })
}
