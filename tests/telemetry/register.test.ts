import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { eventually } from '@halles/kit/testing'
import {
  defaultPrefixes,
  isRegistered,
  type Metric,
  register,
} from '../../deploy/observability/register.ts'
import { createShop, type Shop } from '../e2e/shop.ts'
import { type Receiver, startReceiver } from './receiver.ts'
import { readMetrics } from './secrets-search.ts'

/** A measurement as a process tells it. */
type Told = { type: string; meaning: string; labels: Set<string>; sampleCount: number }

describe('The register of the telemetry, held against a shop that sells,', () => {
  let shop: Shop
  let receiver: Receiver
  let told: Map<string, Map<string, Told>>
  before(async () => {
    receiver = await startReceiver()
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url }
    shop = createShop({ HALLES_GATEWAY_RATE_LIMIT_FACTOR: '0', ...env })
    await shop.stack.start()
    const { variantId } = await shop.sell({ quantity: 2 })
    await shop.paidOrder(variantId)
    await shop.signUp()
    // Two are wanted and one is left: a refusal.
    const greedy = await shop.sell({ quantity: 1 })
    const cart = await shop.cartWith({ [greedy.variantId]: 2 })
    await shop.checkout(cart).catch((error: unknown) => assert.match(String(error), /OUT_OF_STOCK/))
    told = await eventually(() => tellAll(shop), { limitMs: 30_000, intervalMs: 500 })
  })
  after(async () => {
    await shop.stack.stop()
    await receiver.stop()
  })

  test('names everything that a process tells', () => {
    for (const [process, metrics] of told) {
      const strangers = [...metrics.keys()].filter((name) => !isRegistered(name))
      assert.deepEqual(strangers, [], `${process} tells what the register does not know.`)
      for (const prefix of defaultPrefixes) {
        assert.ok(
          [...metrics.keys()].some((name) => name.startsWith(prefix)),
          process,
        )
      }
    }
  })

  test('says of each process what it tells, and how', () => {
    for (const [service, metrics] of told) {
      for (const metric of register) {
        const found = metrics.get(metric.name)
        const isDue = metric.services.includes(service) && metric.needs !== 'redis'
        assert.equal(found !== undefined, isDue, `${metric.name} of ${service}`)
        if (found) compare(metric, found)
      }
    }
  })

  test('counts what has happened', () => {
    const counted: Record<string, string> = {
      http_request_duration_seconds: 'gateway',
      grpc_call_duration_seconds: 'orders',
      message_handling_seconds: 'carts',
      messages_sent_total: 'products',
      messages_topic_lag: 'gateway',
      payments_webhooks_total: 'payments',
      stock_refusals_total: 'products',
      upstream_breaker_open: 'gateway',
    }
    for (const [name, service] of Object.entries(counted)) {
      assert.ok((told.get(service)?.get(name)?.sampleCount ?? 0) > 0, `${name} of ${service}`)
    }
  })
})

function compare({ name, type, labels, meaning }: Metric, found: Told): void {
  assert.equal(found.type, type, name)
  assert.equal(found.meaning, meaning, name)
  const known = [...labels, 'service', 'le']
  const strangers = [...found.labels].filter((label) => !known.includes(label))
  assert.deepEqual(strangers, [], `Labels of ${name}`)
}

/** By service, what its processes tell; throws while one of them does not answer. */
async function tellAll({ stack }: Shop): Promise<Map<string, Map<string, Told>>> {
  const texts = await readMetrics(stack)
  const entries = [...texts].map(([instance, text]) => {
    return [instance.replace(/-\d+$/, ''), readText(text)] as const
  })
  return new Map(entries)
}

/** Reads Prometheus's text format, as far as our processes write it. */
function readText(text: string): Map<string, Told> {
  const told = new Map<string, Told>()
  let current: Told | undefined
  for (const line of text.split('\n')) {
    const [, name = '', meaning = ''] = /^# HELP (\w+) (.*)$/.exec(line) ?? []
    if (name !== '') {
      current = { type: '', meaning, labels: new Set(), sampleCount: 0 }
      told.set(name, current)
    } else if (line.startsWith('# TYPE ')) {
      if (current) current.type = line.split(' ')[3] ?? ''
    } else if (current && line !== '') {
      current.sampleCount += 1
      // A label's value may hold braces: routes do.
      for (const [, label = ''] of line.matchAll(/[{,](\w+)="/g)) current.labels.add(label)
    }
  }
  return told
}
