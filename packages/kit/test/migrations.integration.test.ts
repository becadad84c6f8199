import assert from 'node:assert/strict'
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { createDatabase, migrate, sql } from '../src/database.ts'
import { outboxSchema } from '../src/outbox.ts'
import { createTestDatabase, eventually, silentLogger } from '../src/testing.ts'

const applied = sql('test.applied', 'select name from schema_migrations order by applied_at, name')
const countThings = sql('test.count_things', 'select count(*) as count from things')

async function setUp(t: TestContext, files: Record<string, string>) {
  const directory = await mkdtemp(join(tmpdir(), 'migrations-'))
  const home = await createTestDatabase()
  t.after(async () => {
    await home.drop()
    await rm(directory, { recursive: true })
  })
  const write = async (texts: Record<string, string>) => {
    for (const [name, text] of Object.entries(texts)) await writeFile(join(directory, name), text)
  }
  await write(files)
  return { ...home, directory, write }
}

const createThings = 'create table things (id int); insert into things values (1);'

test('replicas that start at once apply each migration once', async (t) => {
  const { url, database, directory } = await setUp(t, {
    '0001_create_things.sql': createThings,
    '0002_fill_things.sql': 'insert into things values (2);',
  })
  const replicas = Array.from({ length: 4 }, () =>
    createDatabase({ url, logger: silentLogger(), applicationName: 'replica' }),
  )
  await Promise.all(replicas.map((db) => migrate(db, { directory, schemas: [outboxSchema] })))
  await Promise.all(replicas.map((db) => db.close()))
  assert.deepEqual(await database.query(applied), [
    { name: 'kit/outbox/1' },
    { name: 'kit/outbox/2' },
    { name: '0001_create_things.sql' },
    { name: '0002_fill_things.sql' },
  ])
  assert.deepEqual(await database.query(countThings), [{ count: 2 }])
})

test('a migration that was changed after it was applied is refused', async (t) => {
  const { database, directory, write } = await setUp(t, { '0001_create_things.sql': createThings })
  await migrate(database, { directory })
  await write({ '0001_create_things.sql': `${createThings} -- changed` })
  await assert.rejects(migrate(database, { directory }), /0001_create_things.sql was changed after/)
})

test('a migration that fails leaves nothing of itself and can be mended', async (t) => {
  const { database, directory, write } = await setUp(t, {
    '0001_create_things.sql': `${createThings} select 1 / 0;`,
  })
  await assert.rejects(migrate(database, { directory }), /0001_create_things.sql failed: division/)
  await write({ '0001_create_things.sql': createThings })
  await migrate(database, { directory })
  assert.deepEqual(await database.query(countThings), [{ count: 1 }])
})

test('numbers that repeat, come late or are missing are refused', async (t) => {
  const { database, directory, write } = await setUp(t, { '0002_create_things.sql': createThings })
  await migrate(database, { directory })
  await write({ '0001_late.sql': 'select 1' })
  await assert.rejects(migrate(database, { directory }), /0001_late.sql comes before/)
  await write({ '0002_twice.sql': 'select 1' })
  await assert.rejects(migrate(database, { directory }), /Two migrations have the number 0002/)
  await write({ '0000.sql': 'select 1' })
  await assert.rejects(migrate(database, { directory }), /must be named/)
})

test('a release starts on a database that a newer one has migrated', async (t) => {
  const { database, directory, write } = await setUp(t, { '0001_create_things.sql': createThings })
  const release = { directory, schemas: [{ name: 'kit/x', versions: ['create table x ()'] }] }
  await write({ '0002_add_name.sql': 'alter table things add column name text' })
  const [first = ''] = release.schemas[0]?.versions ?? []
  const newer = [{ name: 'kit/x', versions: [first, 'alter table x add column y int'] }]
  await migrate(database, { directory, schemas: newer })
  await rm(join(directory, '0002_add_name.sql'))
  await migrate(database, release)
  assert.equal((await database.query(applied)).length, 4)
})

test('replicas of two releases that start at once leave the newer schema', async (t) => {
  const { url, database, directory } = await setUp(t, { '0001_create_things.sql': createThings })
  const newer = await mkdtemp(join(tmpdir(), 'migrations-'))
  t.after(() => rm(newer, { recursive: true }))
  await cp(directory, newer, { recursive: true })
  await writeFile(join(newer, '0002_fill_things.sql'), 'insert into things values (2);')
  const replicas = [directory, newer, directory, newer].map((folder) => {
    const db = createDatabase({ url, logger: silentLogger(), applicationName: 'replica' })
    return { db, folder }
  })
  await Promise.all(replicas.map(({ db, folder }) => migrate(db, { directory: folder })))
  await Promise.all(replicas.map(({ db }) => db.close()))
  assert.deepEqual(await database.query(countThings), [{ count: 2 }])
})

test('a migration waits for a table in use, and lets others use it meanwhile', async (t) => {
  const { database, directory, write } = await setUp(t, { '0001_create_things.sql': createThings })
  await migrate(database, { directory })
  await write({ '0002_add_name.sql': 'alter table things add column name text' })
  const user = await database.pool.connect()
  await user.query('begin')
  await user.query('select from things')
  const migrating = migrate(database, { directory })
  // Behind the waiting migration this would wait for the end of the transaction above.
  await eventually(async () => {
    const { rows } = await database.pool.query(
      `select from pg_stat_activity
       where datname = current_database() and wait_event_type = 'Lock' and query like 'alter%'`,
    )
    return rows.length > 0
  })
  assert.deepEqual(await database.query(countThings), [{ count: 1 }])
  await user.query('commit')
  user.release()
  await migrating
  assert.equal((await database.query(applied)).length, 2)
})
