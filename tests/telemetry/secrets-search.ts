import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { superuser } from '../../stack/src/embedded-postgres.ts'
import type { StackUnderTest } from '../e2e/stack-under-test.ts'
import type { Kind, Marks } from './secrets-marks.ts'

/** A marked value, and where it was found: `database.table.column` or the name of a process. */
export type Find = { where: string; kind: Kind; excerpt: string }

/** The lines of each process's log, by its name; those of PostgreSQL besides. */
export function readLogs({ dataFolder }: StackUnderTest): Map<string, string[]> {
  const folder = join(dataFolder, 'logs')
  return new Map(
    readdirSync(folder).map((name) => {
      const lines = readFileSync(join(folder, name), 'utf8').split('\n')
      return [name, lines.filter((line) => line !== '')]
    }),
  )
}

/** What each process tells Prometheus, by instance. */
export async function readMetrics(stack: StackUnderTest): Promise<Map<string, string>> {
  const told = stack.processes().filter(({ ports }) => ports.metrics !== undefined)
  const read = told.map(async ({ instance, ports }) => {
    const url = `http://127.0.0.1:${ports.metrics}/metrics`
    const answer = await fetch(url, { signal: AbortSignal.timeout(10_000) })
    if (!answer.ok) throw new Error(`${instance} answered ${answer.status} to a scrape.`)
    return [instance, await answer.text()] as const
  })
  return new Map(await Promise.all(read))
}

export function findInTexts(marks: Marks, where: string, texts: readonly string[]): Find[] {
  return texts.flatMap((text) =>
    [...marks.kindsIn(text)].map((kind) => ({ where, kind, excerpt: text.slice(0, 600) })),
  )
}

const selectDatabases = 'select datname as name from pg_database where not datistemplate'
const selectTables = `select schemaname as schema, tablename as name from pg_tables
  where schemaname not in ('pg_catalog', 'information_schema')`

/** Looks through every column of every table of every database, that of the messages too. */
export async function findInDatabases(marks: Marks, stack: StackUnderTest): Promise<Find[]> {
  const names = await withDatabase(stack, 'postgres', (run) => run(selectDatabases))
  const finds: Find[] = []
  for (const { name: database } of names) {
    finds.push(...(await withDatabase(stack, String(database), (run) => searchTables(run, marks))))
  }
  return finds
}

async function searchTables(run: Run, marks: Marks): Promise<Find[]> {
  const [{ database } = {}] = await run('select current_database() as database')
  const finds: Find[] = []
  for (const { schema, name } of await run(selectTables)) {
    const select = `select row_to_json(t) as row from "${schema}"."${name}" t
      where row_to_json(t)::text ~* $1`
    for (const { row } of await run(select, [marks.pattern()])) {
      for (const [column, value] of Object.entries(row as Record<string, unknown>)) {
        const where = `${database}.${name}.${column}`
        finds.push(...findInTexts(marks, where, [JSON.stringify(value)]))
      }
    }
  }
  return finds
}

type Row = Record<string, unknown>
type Run = (statement: string, values?: readonly unknown[]) => Promise<Row[]>

/** Runs statements in one of the stack's databases, as its superuser. */
export async function withDatabase<T>(
  stack: StackUnderTest,
  database: string,
  work: (run: Run) => Promise<T>,
): Promise<T> {
  const { postgresPassword: password } = stack.readJson('secrets.json') as {
    postgresPassword: string
  }
  const { port } = stack.readJson('postgres.json') as { port: number }
  const client = new pg.Client({
    ...{ host: '127.0.0.1', port, database, user: superuser, password },
    connectionTimeoutMillis: 10_000,
    statement_timeout: 30_000,
  })
  await client.connect()
  try {
    return await work(async (statement, values = []) => {
      return (await client.query<Row>(statement, [...values])).rows
    })
  } finally {
    await client.end()
  }
}
