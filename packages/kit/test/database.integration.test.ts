import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { createDatabase, type Database, isUniqueViolation, sql } from '../src/database.ts'
import { createTestDatabase, eventually, silentLogger, type TestDatabase } from '../src/testing.ts'
import { startTcpProxy } from './tcp-proxy.ts'

const createCounters = sql(
  'test.create_counters',
  'create table counters (name text primary key, value bigint not null)',
)
const insertCounter = sql('test.insert_counter', 'insert into counters values ($1, $2)')
const readCounter = sql('test.read_counter', 'select value from counters where name = $1')
const lockCounter = sql(
  'test.lock_counter',
  'select value from counters where name = $1 for update',
)
const addToCounter = sql(
  'test.add_to_counter',
  'update counters set value = value + 1 where name = $1',
)
const sleep = sql('test.sleep', 'select pg_sleep(30)')
const one = sql('test.one', 'select 1 as one')
const pid = sql('test.pid', 'select pg_backend_pid() as pid')
const terminate = sql('test.terminate', 'select pg_terminate_backend($1)')

const notThere = () => new Error('not there')

describe('a database', () => {
  let home: TestDatabase
  let database: Database
  before(async () => {
    home = await createTestDatabase()
    database = home.database
    await database.run(createCounters)
  })
  after(() => home.drop())

  function open(options: Partial<Parameters<typeof createDatabase>[0]> = {}): Database {
    return createDatabase({
      url: home.url,
      logger: silentLogger(),
      applicationName: 'test',
      ...options,
    })
  }

  test('a statement name stands for one text, of at most 63 bytes', () => {
    assert.equal(sql('test.one', 'select 1 as one').text, one.text)
    assert.throws(() => sql('test.one', 'select 2'), /already stands for another text/)
    assert.throws(() => sql('x'.repeat(64), 'select 1'), /longer than 63 bytes/)
  })

  test('bigint is a number, and refused beyond what a number holds', async () => {
    const big = sql('test.big', 'select $1::bigint as value, array[$1::bigint, null] as list')
    assert.deepEqual(await database.maybe(big, ['9007199254740991']), {
      value: Number.MAX_SAFE_INTEGER,
      list: [Number.MAX_SAFE_INTEGER, null],
    })
    await assert.rejects(database.maybe(big, ['9007199254740992']), RangeError)
    assert.deepEqual(await database.query(one), [{ one: 1 }], 'the connection still works')
  })

  test('a missing row throws what the caller says', async () => {
    await assert.rejects(database.one(readCounter, ['nobody'], notThere), /not there/)
    assert.equal(await database.maybe(readCounter, ['nobody']), undefined)
  })

  test('a transaction that throws leaves nothing behind', async () => {
    const work = database.transaction(async (tx) => {
      await tx.run(insertCounter, ['undone', 1])
      throw new Error('changed my mind')
    })
    await assert.rejects(work, /changed my mind/)
    assert.equal(await database.maybe(readCounter, ['undone']), undefined)
  })

  test('a transaction whose failed statement was ignored does not pretend to commit', async () => {
    await database.run(insertCounter, ['taken', 1])
    const work = database.transaction(async (tx) => {
      await tx.run(insertCounter, ['taken', 2]).catch((error) => {
        assert.ok(isUniqueViolation(error, 'counters_pkey'))
      })
    })
    await assert.rejects(work, /was ignored/)
  })

  test('two transactions that lock each other out both get through', async () => {
    await database.run(insertCounter, ['left', 0])
    await database.run(insertCounter, ['right', 0])
    const { promise: bothLocked, resolve } = Promise.withResolvers<void>()
    let locks = 0
    let runs = 0
    const cross = (first: string, second: string) =>
      database.transaction(async (tx) => {
        runs += 1
        await tx.one(lockCounter, [first], notThere)
        locks += 1
        if (locks === 2) resolve()
        await bothLocked
        await tx.run(addToCounter, [second])
      })
    await Promise.all([cross('left', 'right'), cross('right', 'left')])
    assert.equal(runs, 3, 'one of them ran twice')
    for (const name of ['left', 'right']) {
      assert.deepEqual(await database.maybe(readCounter, [name]), { value: 1 })
    }
  })

  test('a slow statement is ended and reported as DATABASE_TIMEOUT', async (t) => {
    const hurried = open({ statementTimeoutMs: 50 })
    t.after(() => hurried.close())
    await assert.rejects(hurried.query(sleep), { kind: 'unavailable', code: 'DATABASE_TIMEOUT' })
    assert.deepEqual(await hurried.query(one), [{ one: 1 }])
  })

  test('a connection killed inside a transaction fails it as DATABASE_UNAVAILABLE', async (t) => {
    const victim = open({ poolSize: 1 })
    t.after(() => victim.close())
    const work = victim.transaction(async (tx) => {
      const { pid: backend } = await tx.one<{ pid: number }>(pid, [], notThere)
      await database.query(terminate, [backend])
      await tx.query(one)
    })
    await assert.rejects(work, { kind: 'unavailable', code: 'DATABASE_UNAVAILABLE' })
    assert.deepEqual(await victim.query(one), [{ one: 1 }])
  })

  test('the pool works again when the server is back, without a restart', async (t) => {
    const direct = new URL(home.url)
    const proxy = await startTcpProxy(direct.hostname, Number(direct.port))
    const url = new URL(home.url)
    url.host = `127.0.0.1:${proxy.port}`
    const through = open({ url: url.href })
    t.after(async () => {
      await through.close()
      await proxy.away()
    })
    assert.deepEqual(await through.query(one), [{ one: 1 }])
    await proxy.away()
    await assert.rejects(through.query(one), {
      kind: 'unavailable',
      code: 'DATABASE_UNAVAILABLE',
      retryAfterSeconds: 1,
    })
    await proxy.back()
    await eventually(async () => (await through.query(one)).length === 1)
  })

  test('a full pool sheds the caller instead of queueing it for ever', async (t) => {
    const small = open({ poolSize: 1, connectionTimeoutMs: 500 })
    t.after(() => small.close())
    await small.transaction(async () => {
      await assert.rejects(small.query(one), { kind: 'unavailable', code: 'DATABASE_UNAVAILABLE' })
    })
  })
})
