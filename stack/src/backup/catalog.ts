import type pg from 'pg'
import { type MigrationRecord, type SequenceRecord, unreadable } from './manifest.ts'

/** A table as the database describes it. */
export type Table = { name: string; columns: readonly string[]; select: string }

export const quote = (identifier: string) => `"${identifier.replaceAll('"', '""')}"`

// Extensions bring their own tables and functions; those are not ours to keep or to drop.
const ofExtension = (catalog: string) =>
  `exists (select 1 from pg_depend d where d.classid = '${catalog}'::regclass
    and d.objid = each.oid and d.deptype = 'e')`

const tablesQuery = `
  select each.relname as name,
    (select json_agg(attname order by attnum) from pg_attribute
      where attrelid = each.oid and attnum > 0 and not attisdropped and attgenerated = ''
    ) as columns,
    (select json_agg(attname order by place) from pg_index,
        unnest(indkey::smallint[]) with ordinality as keys (number, place)
        join pg_attribute on attnum = number
      where indrelid = each.oid and indisprimary and attrelid = each.oid
    ) as keys,
    (select json_agg(distinct confrelid::regclass::text) from pg_constraint
      where conrelid = each.oid and contype = 'f' and confrelid <> each.oid
    ) as needs
  from pg_class each
  where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition
    and relpersistence = 'p' and not ${ofExtension('pg_class')}
  order by relname`

type Row = { name: string; columns: string[]; keys: string[] | null; needs: string[] | null }

/** The tables of the database, each after those that it refers to. */
export async function readTables(client: pg.Client): Promise<Table[]> {
  const { rows } = await client.query<Row>(tablesQuery)
  const sorted: Row[] = []
  while (sorted.length < rows.length) {
    const ready = rows.filter(
      (row) =>
        !sorted.includes(row) &&
        (row.needs ?? []).every((need) => sorted.some(({ name }) => quoted(name) === need)),
    )
    if (ready.length === 0) throw unreadable('Tables refer to each other in a circle.')
    sorted.push(...ready)
  }
  return sorted.map(({ name, columns, keys }) => {
    const list = columns.map(quote).join(', ')
    // The same rows are then the same text, whatever order they lie in.
    const order = keys === null ? 'kept::text' : keys.map(quote).join(', ')
    return { name, columns, select: `select ${list} from ${quote(name)} as kept order by ${order}` }
  })
}

/** As `regclass` writes it: quoted only where it must be. */
const quoted = (name: string) => (/^[a-z_][a-z0-9_$]*$/.test(name) ? name : quote(name))

export async function readMigrations(client: pg.Client): Promise<MigrationRecord[]> {
  const known = await client.query("select to_regclass('public.schema_migrations') as name")
  if (known.rows[0]?.name === null) return []
  const text = 'select name, checksum from schema_migrations order by applied_at, name'
  return (await client.query<MigrationRecord>(text)).rows
}

/** Where the sequences are; a number that was taken since the snapshot does no harm. */
export async function readSequences(client: pg.Client): Promise<SequenceRecord[]> {
  const { rows } = await client.query<{ name: string }>(
    `select relname as name from pg_class each
     where relnamespace = 'public'::regnamespace and relkind = 'S' and not ${ofExtension('pg_class')}
     order by 1`,
  )
  const found: SequenceRecord[] = []
  for (const { name } of rows) {
    const text = `select last_value::text as value, is_called as "isCalled" from ${quote(name)}`
    const read = await client.query<{ value: string; isCalled: boolean }>(text)
    found.push(...read.rows.map((row) => ({ name, ...row })))
  }
  return found
}

/** Drops our tables, functions and types; extensions stay. */
export async function emptyDatabase(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ command: string }>(`
    select 'drop table ' || oid::regclass || ' cascade' as command from pg_class each
      where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
        and not ${ofExtension('pg_class')}
    union all
    select 'drop routine ' || oid::regprocedure || ' cascade' from pg_proc each
      where pronamespace = 'public'::regnamespace and not ${ofExtension('pg_proc')}
    union all
    select 'drop type ' || oid::regtype || ' cascade' from pg_type each
      where typnamespace = 'public'::regnamespace and typtype in ('e', 'd')
        and not ${ofExtension('pg_type')}`)
  for (const { command } of rows) await client.query(command)
}

/** The names of tables that hold rows. */
export async function filledTables(client: pg.Client): Promise<string[]> {
  const filled: string[] = []
  for (const { name } of await readTables(client)) {
    const { rowCount } = await client.query(`select 1 from ${quote(name)} limit 1`)
    if (rowCount !== 0) filled.push(name)
  }
  return filled
}
