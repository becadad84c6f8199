import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { address as commands } from '@halles/contracts/gen/messages/customers'
import { priceChanged, address as products } from '@halles/contracts/gen/messages/products'
import { eventually } from '@halles/kit/testing'
import { findPython, noPython, works } from '../clients/python.ts'
import type { Drill } from './drill.ts'
import { changePrice } from './listings.ts'

const run = promisify(execFile)

const python = await findPython()
const hasKcat = await works('kcat', ['-V'])
// A tool starts, reads a topic that has some thousand messages, and ends.
const toolLimitMs = 30_000

/** Tools that know nothing of us read what is in the brokers. */
export function strangersAgree(drill: Drill, { skip }: { skip: string | false }): void {
  const skipKcat = skip || (hasKcat ? false : 'kcat is not installed')
  const skipPython = skip || (python ? false : noPython)

  test('kcat reads the price change from the topic: a CloudEvent, keyed by product', {
    skip: skipKcat,
  }, async () => {
    const { listing, amountMinor } = await changeOnePrice(drill)
    const { stdout } = await run(
      'kcat',
      ['-C', '-b', kafkaOf(drill), '-t', products.name, '-o', 'beginning', '-e', '-q', '-J'],
      { timeout: toolLimitMs, maxBuffer: 256 * 1024 * 1024 },
    )
    const record = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { key: string; headers: string[]; payload: string })
      .findLast(({ key }) => key === listing.productId)
    assert.ok(record, 'kcat found no record of the product.')
    assert.deepEqual(record.headers, [
      'content-type',
      'application/cloudevents+json; charset=UTF-8',
    ])
    const event = JSON.parse(record.payload)
    assert.equal(event.specversion, '1.0')
    assert.equal(event.type, priceChanged.type)
    assert.equal(event.subject, listing.productId)
    assert.equal(event.datacontenttype, 'application/json')
    assert.match(event.traceparent, /^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/)
    assert.equal(event.data.variants[0].price.amountMinor, amountMinor)
  })

  test('rabbitmqctl shows a quorum queue with nothing left in it', { skip }, async () => {
    const { dataFolder } = drill.platform.shop.stack
    await eventually(
      async () => {
        const { stdout } = await run(
          join(dataFolder, 'brokers/rabbitmq/rabbitmqctl'),
          ['-q', '--formatter', 'json', 'list_queues', 'name', 'type', 'durable', 'messages'],
          { timeout: toolLimitMs },
        )
        const queues = JSON.parse(stdout) as { name: string }[]
        const queue = queues.find(({ name }) => name === commands.name)
        const wanted = { name: commands.name, type: 'quorum', durable: true, messages: 0 }
        assert.deepEqual(queue, wanted)
      },
      { limitMs: toolLimitMs },
    )
  })

  test('a consumer in Python reads the event with the published schema alone', {
    skip: skipPython,
  }, async () => {
    const { listing, amountMinor } = await changeOnePrice(drill)
    const { stdout } = await run(
      python ?? '',
      [
        join(import.meta.dirname, 'read_event.py'),
        ...[kafkaOf(drill), products.name, listing.productId, drill.platform.shop.stack.url],
      ],
      { timeout: toolLimitMs },
    )
    const { type, prices } = JSON.parse(stdout)
    assert.equal(type, priceChanged.type)
    assert.deepEqual(prices, [amountMinor])
  })
}

function kafkaOf({ platform }: Drill): string {
  const { kafkaBrokers } = platform.shop.stack.readJson('brokers.json') as {
    kafkaBrokers: string | string[]
  }
  return [kafkaBrokers].flat().join(',')
}

async function changeOnePrice({ platform: { shop }, memory }: Drill) {
  const listing = memory.listings[0]
  assert.ok(listing)
  const token = await shop.admin()
  await eventually(async () => (await changePrice(shop.api, token, listing)) === 'accepted')
  const amountMinor = listing.amounts.at(-1)
  assert.ok(amountMinor)
  return { listing, amountMinor }
}
