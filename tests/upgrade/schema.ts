import { type Database, sql } from '@halles/kit/database'

/** What code that was written for a schema relies on. */
export type Schema = {
  /** `table.column` → its type, and whether an insert must or may leave it out. */
  columns: ReadonlyMap<string, Column>
  /** `table: rule` → its definition; what refuses rows. */
  rules: ReadonlyMap<string, Rule>
  /** `table (columns) …` of unique indexes; what `on conflict` names. */
  keys: ReadonlySet<string>
  /** Functions, types and their values. */
  others: ReadonlySet<string>
}

type Column = { table: string; type: string; isRequired: boolean; hasDefault: boolean }
type Rule = { table: string; name: string; kind: 'c' | 'f' | 'p' | 'u' | 'x'; definition: string }

const selectColumns = sql(
  'upgrade.select_columns',
  `select c.relname as table, a.attname as column, format_type(a.atttypid, a.atttypmod) as type,
     a.attnotnull as "isRequired",
     a.atthasdef or a.attidentity <> '' or a.attgenerated <> '' as "hasDefault"
   from pg_attribute as a join pg_class as c on c.oid = a.attrelid
   where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm')
     and a.attnum > 0 and not a.attisdropped`,
)
const selectRules = sql(
  'upgrade.select_rules',
  `select c.relname as table, r.conname as name, r.contype as kind,
     pg_get_constraintdef(r.oid) as definition
   from pg_constraint as r join pg_class as c on c.oid = r.conrelid
   where r.connamespace = 'public'::regnamespace and r.contype in ('c', 'f', 'p', 'u', 'x')`,
)
const selectKeys = sql(
  'upgrade.select_keys',
  `select regexp_replace(pg_get_indexdef(indexrelid), '^CREATE UNIQUE INDEX \\S+ ON ', '') as key
   from pg_index join pg_class as c on c.oid = indrelid
   where indisunique and c.relnamespace = 'public'::regnamespace`,
)
const selectOthers = sql(
  'upgrade.select_others',
  `select 'function ' || oid::regprocedure as name from pg_proc
   where pronamespace = 'public'::regnamespace
     and not exists (select from pg_depend where objid = pg_proc.oid and deptype = 'e')
   union all
   select 'value ' || enumlabel || ' of ' || enumtypid::regtype from pg_enum`,
)

/** The schema that a database has now. */
export async function readSchema(database: Database): Promise<Schema> {
  type ColumnRow = Column & { column: string }
  const columns = await database.query<ColumnRow>(selectColumns)
  const rules = await database.query<Rule>(selectRules)
  const keys = await database.query<{ key: string }>(selectKeys)
  const others = await database.query<{ name: string }>(selectOthers)
  return {
    columns: new Map(columns.map((each) => [`${each.table}.${each.column}`, each])),
    rules: new Map(rules.map((each) => [`${each.table}: ${each.name}`, each])),
    keys: new Set(keys.map(({ key }) => key)),
    others: new Set(others.map(({ name }) => name)),
  }
}

/** What the code of `before` can no longer do with `after`, in words; a rename is a removal. */
export function breaks(before: Schema, after: Schema): string[] {
  return [
    ...missing(before.columns.keys(), after.columns).map((name) => `${name} is gone`),
    ...missing(before.keys, after.keys).map((name) => `the unique key ${name} is gone`),
    ...missing(before.others, after.others).map((name) => `${name} is gone`),
    ...changedColumns(before, after),
    ...narrowedRules(before, after),
  ]
}

function missing(names: Iterable<string>, known: { has(name: string): boolean }): string[] {
  return [...names].filter((name) => !known.has(name))
}

function changedColumns(before: Schema, after: Schema): string[] {
  const tables = tablesOf(before)
  return [...after.columns].flatMap(([name, column]) => {
    if (!tables.has(column.table)) return []
    const known = before.columns.get(name)
    const mustBeGiven = column.isRequired && !column.hasDefault
    if (!known) return mustBeGiven ? [`${name} is new and has to be given`] : []
    const faults: string[] = []
    if (known.type !== column.type) faults.push(`${name} was ${known.type}, is ${column.type}`)
    if (column.isRequired && !known.isRequired) faults.push(`${name} refuses null now`)
    if (known.hasDefault && mustBeGiven) faults.push(`${name} has no default any more`)
    return faults
  })
}

/** New rules on tables that there were, unless they only speak of columns that there were not. */
function narrowedRules(before: Schema, after: Schema): string[] {
  const tables = tablesOf(before)
  return [...after.rules].flatMap(([name, rule]) => {
    const { table, kind, definition } = rule
    if (!tables.has(table)) return []
    const known = before.rules.get(name)
    if (known?.definition === definition) return []
    const speaksOfKnown = [...before.columns].some(
      ([column, { table: of }]) =>
        of === table && new RegExp(`\\b${column.slice(of.length + 1)}\\b`).test(definition),
    )
    if (!speaksOfKnown) return []
    if (known && kind === 'c' && isWidened(known.definition, definition)) return []
    return [`${name} is a new rule: ${definition}`]
  })
}

/** Whether the same check takes all the values that it took, and perhaps more. */
function isWidened(before: string, after: string): boolean {
  const values = /'(?:[^']|'')*'/g
  const kept = new Set(after.match(values))
  const shape = (definition: string) =>
    definition.replaceAll(values, '').replaceAll(/::\w+|[\s,]/g, '')
  return shape(before) === shape(after) && (before.match(values) ?? []).every((v) => kept.has(v))
}

function tablesOf({ columns }: Schema): Set<string> {
  return new Set([...columns.values()].map(({ table }) => table))
}
