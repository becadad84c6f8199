import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { inboxSchema } from '@halles/kit/inbox'
import { brokerSchema } from '@halles/kit/messaging/postgres/schema'
import { outboxSchema } from '@halles/kit/outbox'
import { createTestDatabase } from '@halles/kit/testing'
import { breaks, readSchema } from './schema.ts'

type Step = { name: string; text: string }

const services = resolve(import.meta.dirname, '../../services')
// Written before there was a release to go on beside them; what is applied is never edited.
const beforeTheRule = new Set([
  'kit/outbox/2',
  'payments/0002_keep_what_is_known_of_a_payment.sql',
  'products/0004_create_returns.sql',
])

/** What each step breaks for code of the step before, unless it names the step that made it good. */
async function findFaults(steps: readonly Step[]): Promise<string[]> {
  const { database, drop } = await createTestDatabase()
  try {
    const faults: string[] = []
    let before = await readSchema(database)
    for (const [index, { name, text }] of steps.entries()) {
      await database.pool.query(text)
      const after = await readSchema(database)
      const [, reason = ''] = /^-- contract: (.+)$/m.exec(text) ?? []
      const isContract = steps.slice(0, index).some((step) => reason.includes(stem(step.name)))
      if (!isContract) faults.push(...breaks(before, after).map((fault) => `${name}: ${fault}`))
      before = after
    }
    return faults
  } finally {
    await drop()
  }
}

/** `carts/0002_create_replica.sql` is spoken of as `0002_create_replica`. */
const stem = (name: string) => name.replace(/^\w+\/(?=\d{4}_)/, '').replace(/\.sql$/, '')

function stepsOf(service: string): Step[] {
  const folder = join(services, service, 'migrations')
  return readdirSync(folder)
    .sort()
    .map((name) => ({
      name: `${service}/${name}`,
      text: readFileSync(join(folder, name), 'utf8'),
    }))
}

async function assertExpanding(steps: readonly Step[]): Promise<void> {
  const faults = await findFaults(steps)
  const isNew = (fault: string) => !beforeTheRule.has(fault.slice(0, fault.indexOf(':')))
  assert.deepEqual(faults.filter(isNew), [])
}

for (const service of readdirSync(services)) {
  if (!existsSync(join(services, service, 'migrations'))) continue
  test(`each migration of ${service} leaves the code before it working`, () =>
    assertExpanding(stepsOf(service)))
}

for (const { name, versions } of [outboxSchema, inboxSchema, brokerSchema]) {
  test(`each version of the tables of ${name} leaves the code before it working`, () =>
    assertExpanding(versions.map((text, index) => ({ name: `${name}/${index + 1}`, text }))))
}

const first: Step = {
  name: '0001_create_things.sql',
  text: `create type colour as enum ('red', 'green');
    create table owners (id int primary key);
    create table things (
      id int primary key, sku text unique, owner_id int,
      status text not null check (status in ('new', 'old')), size int default 1 not null, colour colour
    );
    create function noted() returns int language sql as 'select 1';`,
}
const faultsOf = (text: string) => findFaults([first, { name: '0002_x.sql', text }])

const breaking: [what: string, text: string, fault: RegExp][] = [
  ['drops a table', 'drop table owners', /owners\.id is gone/],
  ['drops a column', 'alter table things drop column size', /things\.size is gone/],
  ['renames a column', 'alter table things rename size to height', /things\.size is gone/],
  ['renames a table', 'alter table owners rename to people', /owners\.id is gone/],
  [
    'adds a column that has to be given',
    'alter table things add column weight int not null',
    /things\.weight is new and has to be given/,
  ],
  [
    'refuses null where it was taken',
    'alter table things alter column sku set not null',
    /things\.sku refuses null/,
  ],
  [
    'takes a default away',
    'alter table things alter column size drop default',
    /things\.size has no default/,
  ],
  [
    'changes a type',
    'alter table things alter column size type bigint',
    /things\.size was integer, is bigint/,
  ],
  [
    'takes a value away',
    `alter table things drop constraint things_status_check,
       add constraint things_status_check check (status in ('old', 'lost'))`,
    /things_status_check is a new rule/,
  ],
  ['adds a check', 'alter table things add check (size > 0)', /things_size_check is a new rule/],
  [
    'adds a foreign key',
    'alter table things add foreign key (owner_id) references owners',
    /things_owner_id_fkey is a new rule/,
  ],
  [
    'drops what on conflict names',
    'alter table things drop constraint things_sku_key',
    /the unique key .*\(sku\) is gone/,
  ],
  ['drops a function', 'drop function noted()', /function noted\(\) is gone/],
]

for (const [what, text, fault] of breaking) {
  test(`a migration that ${what} is refused`, async () => {
    assert.match((await faultsOf(text)).join('\n'), fault)
  })
}

test('a migration that only adds is taken', async () => {
  const added = await faultsOf(`
    create table parts (id int primary key, thing_id int not null references things);
    create index things_size on things (size);
    alter type colour add value 'blue';
    alter table things
      add column weight int check (weight > 0),
      add column height int not null default 1,
      alter column status set default 'new',
      alter column status drop not null,
      drop constraint things_status_check,
      add constraint things_status_check check (status in ('new', 'old', 'lost'))`)
  assert.deepEqual(added, [])
})

test('a contraction is taken when it names the migration that went before it', async () => {
  const contract = (reason: string) =>
    `-- contract: ${reason}\nalter table things drop column size;`
  assert.equal((await faultsOf(contract('nobody reads it'))).length, 1)
  assert.equal((await faultsOf(contract('in 0002_x height took its place'))).length, 1)
  assert.deepEqual(await faultsOf(contract('0001_create_things made it optional')), [])
})
