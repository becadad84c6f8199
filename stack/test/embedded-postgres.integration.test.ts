import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { eventually } from '@halles/kit/testing'
import pg from 'pg'
import { createEmbeddedPostgres, type EmbeddedPostgres } from '../src/embedded-postgres.ts'
import { createLogs } from '../src/logs.ts'
import { createDatabases, createExtensions } from '../src/postgres-databases.ts'
import { isAlive, signalProcess } from '../src/processes.ts'

const folder = mkdtempSync(join(tmpdir(), 'halles-postgres-'))
chmodSync(folder, 0o711)
const logs = createLogs({
  folder: join(folder, 'logs'),
  maxBytes: 1_000_000,
  checkMs: 1_000,
  onError: () => undefined,
})
const open: EmbeddedPostgres[] = []
after(async () => {
  for (const server of open) await server.stop()
  logs.close()
  rmSync(folder, { recursive: true })
})

async function startServer(
  dataDirectory: string,
  previousPort?: number,
): Promise<EmbeddedPostgres> {
  const server = await createEmbeddedPostgres({
    dataDirectory,
    superuserPassword: 'secret',
    maxConnections: 20,
    isDurable: false,
    previousPort,
    logFd: logs.open('postgres'),
    logTail: () => logs.tail('postgres', 5),
  })
  open.push(server)
  await server.start()
  return server
}

async function query(url: string, statement: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 })
  await client.connect()
  try {
    return (await client.query(statement)).rows
  } finally {
    await client.end()
  }
}

const dataDirectory = join(folder, 'main')

test('a server starts from nothing, and a second start keeps its data and its port', async () => {
  const first = await startServer(dataDirectory)
  assert.equal(first.isNew, true)
  await query(first.url('postgres'), 'create table kept as select 42 as answer')
  await first.stop()
  const second = await startServer(dataDirectory, first.port)
  assert.equal(second.isNew, false)
  assert.equal(second.port, first.port)
  assert.deepEqual(await query(second.url('postgres'), 'select answer from kept'), [{ answer: 42 }])
  await second.stop()
})

test('a role enters its own database only, and finds the extensions there', async () => {
  const server = await startServer(dataDirectory)
  await createExtensions(server.url)
  const plans = ['carts', 'orders'].map((name) => ({ database: name, role: name, password: 'p' }))
  await createDatabases(server.url, plans)
  await createDatabases(server.url, plans)
  const carts = { name: 'carts', password: 'p' }
  const own = await query(
    server.url('carts', carts),
    "select unaccent('thé') as plain, similarity('a', 'a') as same, 'A'::citext = 'a' as equal",
  )
  assert.deepEqual(own, [{ plain: 'the', same: 1, equal: true }])
  await query(server.url('carts', carts), 'create table lines (id int)')
  for (const other of ['orders', 'postgres', 'template1']) {
    await assert.rejects(query(server.url(other, carts), 'select 1'), { code: '42501' })
  }
  await assert.rejects(query(server.url('carts', { ...carts, password: 'x' }), 'select 1'), {
    code: '28P01',
  })
  await server.stop()
})

test('a postmaster.pid that names a stranger is no obstacle', async () => {
  writeFileSync(join(dataDirectory, 'postmaster.pid'), `${process.pid}\n${dataDirectory}\n`)
  chmodSync(join(dataDirectory, 'postmaster.pid'), 0o666)
  const server = await startServer(dataDirectory)
  assert.deepEqual(await query(server.url('postgres'), 'select answer from kept'), [{ answer: 42 }])
  await server.stop()
})

test('a server killed with -9 is started again on the same port', async () => {
  const server = await startServer(dataDirectory)
  const before = server.serverPid()
  assert.ok(before)
  signalProcess(before, 'SIGKILL')
  const rows = await eventually(async () => {
    assert.notEqual(server.serverPid(), before)
    return query(server.url('postgres'), 'select answer from kept')
  })
  assert.deepEqual(rows, [{ answer: 42 }])
  assert.equal(server.status().restarts, 1)
  await server.stop()
})

test('a server whose guard was killed is stopped before another one opens its data', async () => {
  const server = await startServer(dataDirectory)
  const before = server.serverPid()
  const guard = server.status().pid
  assert.ok(before && guard)
  signalProcess(guard, 'SIGKILL')
  await eventually(async () => {
    assert.equal(isAlive(before), false)
    return query(server.url('postgres'), 'select answer from kept')
  })
  await server.stop()
})

test('after kill -9 of the parent nothing is left running, and the next start works', async () => {
  const home = join(folder, 'orphan')
  mkdirSync(home)
  chmodSync(home, 0o711)
  const parent = spawn(process.execPath, [join(import.meta.dirname, 'fixtures/parent.ts'), home], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = await once(parent.stdout, 'data')
  const pids = Object.values(JSON.parse(line)) as number[]
  assert.equal(pids.length, 3)
  for (const pid of pids) assert.equal(isAlive(pid), true)
  parent.kill('SIGKILL')
  await eventually(() => pids.every((pid) => !isAlive(pid)), { limitMs: 20_000 })
  const next = await startServer(join(home, 'postgres'))
  assert.equal(next.isNew, false)
  await next.stop()
})

test('data of another version or without a version are refused and left alone', async () => {
  const foreign = join(folder, 'foreign')
  mkdirSync(foreign)
  writeFileSync(join(foreign, 'PG_VERSION'), '16\n')
  await assert.rejects(startServer(foreign), {
    code: 'DATABASE_UNREADABLE',
    message: /PostgreSQL 16/,
  })
  rmSync(join(foreign, 'PG_VERSION'))
  writeFileSync(join(foreign, 'base'), '')
  await assert.rejects(startServer(foreign), { code: 'DATABASE_UNREADABLE' })
})
