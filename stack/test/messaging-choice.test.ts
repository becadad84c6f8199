import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { freePort } from '@halles/kit/testing'
import { checkAnswers, givenAddresses } from '../src/brokers/given.ts'
import { checkChoice, recordChoice } from '../src/messaging-choice.ts'
import { choiceOf, readWanted } from '../src/stack-brokers.ts'
import { needsBrokers } from '../src/test-brokers.ts'
import { databasePlans, environmentOf, type Platform, parts } from '../src/topology.ts'

const folder = mkdtempSync(join(tmpdir(), 'halles-choice-'))
after(() => rmSync(folder, { recursive: true }))
const newFolder = () => mkdtempSync(join(folder, 'data-'))

const embedded = { queues: 'embedded', topics: 'embedded' } as const
const brokers = { queues: 'rabbitmq', topics: 'kafka' } as const

test('a folder that was used with one kind of broker is not opened with another', () => {
  const data = newFolder()
  checkChoice(data, brokers)
  recordChoice(data, brokers)
  checkChoice(data, brokers)
  for (const other of [embedded, { queues: 'rabbitmq', topics: 'embedded' } as const]) {
    assert.throws(() => checkChoice(data, other), {
      code: 'MESSAGING_CHANGED',
      message: /Start as before, with --brokers/,
    })
  }
})

test('a start that failed binds nobody, and a folder of before there was a choice is embedded', () => {
  const data = newFolder()
  checkChoice(data, brokers)
  writeFileSync(join(data, 'postgres.json'), '{}')
  checkChoice(data, embedded)
  recordChoice(data, embedded)
  assert.throws(() => checkChoice(data, brokers), { code: 'MESSAGING_CHANGED' })
  const old = newFolder()
  writeFileSync(join(old, 'postgres.json'), '{}')
  checkChoice(old, embedded)
  rmSync(join(old, 'messaging.json'), { force: true })
  assert.throws(() => checkChoice(old, brokers), { message: /without --brokers/ })
})

test('addresses in the environment choose brokers without --brokers, each for itself', () => {
  const amqp = { AMQP_URL: 'amqp://broker', KAFKA_BROKERS: '' }
  assert.deepEqual(choiceOf(readWanted({}, false)), embedded)
  assert.deepEqual(choiceOf(readWanted({}, true)), brokers)
  assert.deepEqual(choiceOf(readWanted(amqp, false)), { queues: 'rabbitmq', topics: 'embedded' })
  assert.deepEqual(givenAddresses(amqp), { amqpUrl: 'amqp://broker' })
})

test('a given broker that is silent, speaks otherwise or has no address is named', async () => {
  const amqpUrl = `amqp://127.0.0.1:${await freePort()}`
  await assert.rejects(checkAnswers({ amqpUrl }, {}, 100), {
    code: 'BROKER_NOT_ANSWERING',
    message: /RabbitMQ does not answer at 127\.0\.0\.1:\d+ \(AMQP_URL\)/,
  })
  const server = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
  const port = await freePort()
  server.listen(port, '127.0.0.1')
  await assert.rejects(checkAnswers({ kafkaBrokers: `127.0.0.1:${port}` }, {}, 100), {
    message: /Kafka does not answer/,
  })
  server.close()
  await assert.rejects(checkAnswers({ redisUrl: 'here' }, {}, 100), {
    code: 'BROKER_ADDRESS_INVALID',
    message: /REDIS_URL/,
  })
})

test('with brokers services get their addresses instead of the database of messages', () => {
  const messaging = {
    addresses: { amqpUrl: 'amqp://a', kafkaBrokers: 'k:1', redisUrl: 'redis://r' },
    kafkaAccess: { KAFKA_USERNAME: 'halles' },
  }
  const secrets = { databases: {} } as Platform['secrets']
  const carts = parts.find(({ name }) => name === 'carts')
  assert.ok(carts)
  const environment = (given: Partial<Platform>) =>
    environmentOf(
      { part: carts, id: 'carts-1', ports: { http: 1 } },
      { secrets, overrides: {}, ...given } as Platform,
      { instances: [], urlOf: (database) => `postgres://${database}` },
    )
  const on = environment({ messaging })
  assert.equal(on.AMQP_URL, 'amqp://a')
  assert.equal(on.KAFKA_BROKERS, 'k:1')
  assert.equal(on.KAFKA_USERNAME, 'halles')
  assert.equal('MESSAGES_URL' in on, false)
  assert.equal('REDIS_URL' in on, false)
  const off = environment({})
  assert.equal(off.MESSAGES_URL, 'postgres://messages')
  assert.equal('AMQP_URL' in off || 'KAFKA_BROKERS' in off, false)
  const databases = (choice: typeof embedded | typeof brokers) =>
    databasePlans(secrets, choice).map(({ database }) => database)
  assert.equal(databases(embedded).includes('messages'), true)
  assert.equal(databases(brokers).includes('messages'), false)
})

test('the path of a test says whether it needs brokers', () => {
  assert.equal(needsBrokers('packages/kit/test/messaging/kafka.integration.test.ts'), true)
  assert.equal(needsBrokers('tests/resilience/services.test.ts'), true)
  assert.equal(needsBrokers('packages/kit/test/messaging/postgres.integration.test.ts'), false)
})
