import { createDatabase, type Database, migrate } from '@halles/kit/database'
import type { MigrateOptions } from '@halles/kit/migrations'
import { createTestDatabase, silentLogger } from '@halles/kit/testing'

/** A clock that stands still until somebody turns it, for services and their databases alike. */
export type Clock = {
  now(): number
  /** Turns it for all databases too. */
  advance(ms: number): Promise<void>
  reset(): Promise<void>
}

export type TimedDatabase = { database: Database; drop(): Promise<void> }

// In front of pg_catalog, these take the place of PostgreSQL's own in every statement and default.
const timedSchema = `
  create schema timed;
  create table timed.clock (at timestamptz not null);
  insert into timed.clock values (pg_catalog.now());
  create function timed.now() returns timestamptz language sql stable
    as 'select at from timed.clock';
  create function timed.clock_timestamp() returns timestamptz language sql stable
    as 'select at from timed.clock';`

export async function openClock<Name extends string>(
  schemas: Readonly<Record<Name, MigrateOptions>>,
): Promise<{ clock: Clock; databases: Record<Name, TimedDatabase> }> {
  const names = Object.keys(schemas) as Name[]
  const opened = await Promise.all(names.map((name) => openTimed(schemas[name])))
  let nowMs = Date.now()
  async function turn(toMs: number): Promise<void> {
    nowMs = toMs
    await Promise.all(
      opened.map(({ database }) =>
        database.pool.query({
          name: 'turn_clock',
          text: 'update timed.clock set at = $1',
          values: [new Date(nowMs)],
        }),
      ),
    )
  }
  const clock: Clock = {
    now: () => nowMs,
    advance: (ms) => turn(nowMs + ms),
    reset: () => turn(Date.now()),
  }
  await clock.reset()
  const entries = names.map((name, index) => [name, opened[index]] as const)
  return { clock, databases: Object.fromEntries(entries) as Record<Name, TimedDatabase> }
}

async function openTimed(schema: MigrateOptions): Promise<TimedDatabase> {
  const empty = await createTestDatabase()
  await empty.database.pool.query(timedSchema)
  const database = createDatabase({
    url: empty.url,
    logger: silentLogger(),
    applicationName: 'money',
    poolSize: 3,
    settings: { search_path: 'timed,pg_catalog,public', synchronous_commit: 'off' },
  })
  await migrate(database, schema)
  return {
    database,
    async drop() {
      await database.close()
      await empty.drop()
    },
  }
}
