import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { test } from 'node:test'
import { createLogger } from '@halles/kit/logging'
import { eventually, silentLogger } from '@halles/kit/testing'
import { createRedis, createScript } from '../src/redis.ts'
import { missingRedis, redisPassword, useRedisServer } from './redis-server.ts'

const server = useRedisServer()
const skip = missingRedis
const swap = createScript(
  `local old = redis.call('GET', KEYS[1]) redis.call('SET', KEYS[1], ARGV[1]) return old or 0`,
)

async function connect(url = server().url, logger = silentLogger()) {
  const redis = createRedis({ url, logger, limitMs: 500 })
  await redis.start()
  return redis
}

const isThere = (redis: { space(): string | undefined }) =>
  eventually(() => redis.space() !== undefined)

test('a script gets its keys and values and answers in bytes', { skip }, async (t) => {
  const redis = await connect()
  t.after(() => redis.stop())
  await isThere(redis)
  const bytes = Buffer.from([0, 255, 10, 13])
  assert.equal(await redis.run(swap, ['a'], [bytes]), 0)
  assert.deepEqual(await redis.run(swap, ['a'], [7]), bytes)
  assert.deepEqual(await redis.run(swap, ['a'], ['']), Buffer.from('7'))
})

test('a Redis that was never there costs nothing but its absence', async (t) => {
  const redis = await connect('redis://127.0.0.1:1')
  t.after(() => redis.stop())
  assert.equal(redis.space(), undefined)
  assert.equal(await redis.run(swap, ['a'], [1]), undefined)
})

test('after a kill and a restart another space begins', { skip }, async (t) => {
  const redis = await connect()
  t.after(() => redis.stop())
  await isThere(redis)
  const space = redis.space()
  await redis.run(swap, ['kept'], ['before'])
  await server().command('SAVE')
  await server().kill()
  await eventually(() => redis.space() === undefined)
  assert.equal(await redis.run(swap, ['kept'], [1]), undefined)
  await server().start()
  await isThere(redis)
  assert.notEqual(redis.space(), space)
  assert.equal(String(await server().command('DBSIZE')) !== '0', true, 'the snapshot was loaded')
  assert.equal(await redis.run(swap, ['kept'], ['after']), 0, 'what it held is not found')
})

test('a frozen Redis is not asked again until it answers', { skip }, async (t) => {
  const redis = await connect()
  t.after(() => redis.stop())
  await isThere(redis)
  const space = redis.space()
  server().freeze()
  t.after(() => server().thaw())
  assert.equal(await redis.run(swap, ['f'], [1]), undefined)
  assert.equal(redis.space(), undefined)
  let isSettled = false
  const next = redis.run(swap, ['f'], [2]).then((reply) => {
    isSettled = true
    return reply
  })
  // No timer is waited for: a turn of the event loop is enough.
  await new Promise(setImmediate)
  assert.equal(isSettled, true)
  assert.equal(await next, undefined)
  server().thaw()
  await isThere(redis)
  assert.equal(redis.space(), space)
  assert.deepEqual(await redis.run(swap, ['f'], [3]), Buffer.from('1'), 'the late one was run')
})

test('a connection that the other side forgot is opened anew', { skip }, async (t) => {
  const redis = await connect()
  t.after(() => redis.stop())
  await isThere(redis)
  await server().command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
  await eventually(async () => (await redis.run(swap, ['k'], [1])) !== undefined)
})

test('the log tells of a Redis that refuses, without the password', { skip }, async (t) => {
  let log = ''
  const destination = new Writable({
    write(line, _encoding, done) {
      log += line
      done()
    },
  })
  const logger = createLogger({ service: 'gateway', instance: 't', level: 'debug', destination })
  const redis = await connect(server().url.replace(redisPassword, 'not-the-password'), logger)
  t.after(() => redis.stop())
  await eventually(() => assert.match(log, /WRONGPASS/))
  assert.equal(log.includes('not-the-password'), false)
})
