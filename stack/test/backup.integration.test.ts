import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createDatabase, migrate } from '@halles/kit/database'
import { inboxSchema } from '@halles/kit/inbox'
import { outboxSchema } from '@halles/kit/outbox'
import { silentLogger } from '@halles/kit/testing'
import pg from 'pg'
import { readManifest } from '../src/backup/manifest.ts'
import { runHalles } from '../src/cli/run.ts'
import { createDatabases } from '../src/postgres-databases.ts'
import { loadSecrets } from '../src/secrets.ts'
import { startTestPostgres } from '../src/test-postgres.ts'
import { databasePlans, databaseRoles } from '../src/topology.ts'

const folder = mkdtempSync(join(tmpdir(), 'halles-backup-'))
const kept = join(folder, 'kept')
const plans = databasePlans(loadSecrets(folder, databaseRoles), {
  queues: 'rabbitmq',
  topics: 'kafka',
})
let server: Awaited<ReturnType<typeof startTestPostgres>>

const odd = ['Ünïcode ✓', 'a\ttab, a\nbreak, a \\ and \\N', '', '\\.', '"quoted"']

before(async () => {
  server = await startTestPostgres()
  await createDatabases(server.postgres.url, plans)
  const plan = plans.find(({ role }) => role === 'products')
  const url = server.postgres.url('products', { name: 'products', password: plan?.password ?? '' })
  const database = createDatabase({ url, logger: silentLogger(), applicationName: 'test' })
  const directory = new URL('../../services/products/migrations', import.meta.url).pathname
  await migrate(database, { directory, schemas: [outboxSchema, inboxSchema] })
  await database.close()
  await inProducts(async (client) => {
    for (const text of odd) {
      await client.query(
        `insert into outbox (address_kind, address_name, partition_key, message)
         values ('topic', 'a', $1, $2)`,
        [text, text === '' ? 'null' : JSON.stringify({ text })],
      )
    }
  })
})
after(async () => {
  await server.stop()
  rmSync(folder, { recursive: true, force: true })
})

async function inProducts<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: server.postgres.url('products') })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

const rows = () =>
  inProducts(async (client) => (await client.query('select * from outbox order by id')).rows)

async function halles(...args: string[]): Promise<{ code: number; said: string }> {
  const lines: string[] = []
  const say = (text: string) => void lines.push(text)
  const url = server.postgres.url('postgres')
  const all = [...args, '--database-url', url, '--data', folder]
  const code = await runHalles(all, { env: {}, out: say, err: say })
  return { code, said: lines.join('\n') }
}

test('databases of a server elsewhere come back row by row, and belong to their services', async () => {
  const before = await rows()
  assert.equal(before.length, odd.length)
  const taken = await halles('backup', kept)
  assert.equal(taken.code, 0, taken.said)
  assert.match((await halles('backup', kept)).said, /BACKUP_EXISTS/)

  assert.match((await halles('restore', kept)).said, /products.*\(RESTORE_NOT_EMPTY\)/s)
  await inProducts((client) => client.query('delete from outbox where id > 2'))
  const restored = await halles('restore', kept, '--force')
  assert.equal(restored.code, 0, restored.said)
  assert.deepEqual(await rows(), before)

  await inProducts(async (client) => {
    const owners = await client.query(
      "select distinct tableowner as owner from pg_tables where schemaname = 'public'",
    )
    assert.deepEqual(owners.rows, [{ owner: 'products' }])
    // The numbers go on where they were, and the trigger is awake again.
    const next = await client.query(
      `insert into outbox (address_kind, address_name, partition_key, message)
       values ('topic', 'a', 'b', '{}') returning id::int as id`,
    )
    assert.equal(next.rows[0].id, odd.length + 1)
    const triggers = await client.query(
      "select tgenabled as state from pg_trigger where tgname = 'outbox_notify'",
    )
    assert.deepEqual(triggers.rows, [{ state: 'O' }])
  })
})

test('nothing is restored under somebody who is connected', async () => {
  await inProducts(async () => {
    assert.match((await halles('restore', kept, '--force')).said, /STORE_IN_USE/)
  })
})

test('one database alone is restored, and an unknown one is refused', async () => {
  await inProducts((client) => client.query('truncate outbox'))
  const done = await halles('restore', kept, '--only', 'products', '--force')
  assert.equal(done.code, 0, done.said)
  assert.equal((await rows()).length, odd.length)
  assert.match((await halles('restore', kept, '--only', 'weather')).said, /NOT_IN_BACKUP/)
})

test('a backup of a later release is refused before anything is touched', async () => {
  const manifest = readManifest(kept)
  const path = join(kept, 'manifest.json')
  const text = readFileSync(path, 'utf8')
  const [first] = manifest.databases.flatMap(({ migrations }) => migrations)
  assert.ok(first)
  writeFileSync(path, text.replaceAll(first.checksum, 'f'.repeat(64)))
  assert.match((await halles('restore', kept, '--force')).said, /BACKUP_OF_OTHER_RELEASE/)
  writeFileSync(path, text.replaceAll('"file": "products/', '"file": "../products/'))
  assert.match((await halles('restore', kept, '--force')).said, /BACKUP_UNREADABLE/)
  assert.equal((await rows()).length, odd.length)
})
