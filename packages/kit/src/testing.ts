import { randomBytes, randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import pg from 'pg'
import { pino } from 'pino'
import { createDatabase, type Database } from './database.ts'
import type { Logger } from './logging.ts'
import { type MigrateOptions, migrate } from './migrations.ts'

export type TestDatabase = { url: string; database: Database; drop(): Promise<void> }

/** A logger that writes nothing. */
export function silentLogger(): Logger {
  return pino({ level: 'silent' })
}

function superuserUrl(): string {
  const url = process.env.HALLES_TEST_POSTGRES
  if (url === undefined) {
    throw new Error(
      'HALLES_TEST_POSTGRES is not set. `npm test` starts a PostgreSQL and sets it; ' +
        'to run one file, set it to the URL of a superuser.',
    )
  }
  return url
}

async function asSuperuser(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: superuserUrl() })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}

/** An empty database with a random name, brought up to the schemas and migrations given. */
export async function createTestDatabase(options: MigrateOptions = {}): Promise<TestDatabase> {
  const name = `test_${randomBytes(8).toString('hex')}`
  await asSuperuser(`create database ${name}`)
  const url = new URL(superuserUrl())
  url.pathname = `/${name}`
  const database = createDatabase({
    url: url.href,
    logger: silentLogger(),
    applicationName: 'test',
  })
  async function drop(): Promise<void> {
    await database.close()
    // Forced, because a test may have left connections on purpose.
    await asSuperuser(`drop database ${name} with (force)`)
  }
  try {
    await migrate(database, options)
  } catch (error) {
    await drop()
    throw error
  }
  return { url: url.href, database, drop }
}

export type EventuallyOptions = { limitMs?: number; intervalMs?: number }

/**
 * Repeats the check until it neither throws nor returns false, and returns what it returned. After
 * `limitMs` (default 10 s) it throws what the last try threw.
 */
export async function eventually<T>(
  check: () => T | Promise<T>,
  { limitMs = 10_000, intervalMs = 20 }: EventuallyOptions = {},
): Promise<Exclude<T, false>> {
  const endsAt = performance.now() + limitMs
  for (;;) {
    let fault: unknown = new Error(`The condition did not hold within ${limitMs} ms.`)
    try {
      const result = await check()
      if (result !== false) return result as Exclude<T, false>
    } catch (error) {
      fault = error
    }
    if (performance.now() > endsAt) throw fault
    await new Promise((resolve) => setTimeout(resolve, intervalMs))
  }
}

// Below the ports that systems hand out by themselves, to servers on port 0 and to connections, and
// below those that a local stack chooses: one may be taken between our look and its use.
const lowestPort = 10_000
const highestPort = 15_000
const portTries = 50

/** A port of 127.0.0.1 that was free a moment ago; where a server can take port 0, prefer that. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < portTries; tries += 1) {
    const port = randomInt(lowestPort, highestPort)
    if (await isFree(port)) return port
  }
  throw new Error('No free port was found.')
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
