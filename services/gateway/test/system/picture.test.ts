import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { MessagingStats } from '@halles/kit/messaging'
import type { VitalsReport } from '@halles/kit/vitals'
import { toPicture } from '../../src/system/picture.ts'
import { toRates } from '../../src/system/rates.ts'
import { createRecords, type Records, type Sighting } from '../../src/system/records.ts'
import { aReport } from './reports.ts'

const at = (service: string, address = `http://${service}`): Sighting => ({
  ...{ service, address, state: 'ready' },
})

function draw(records: Records, messages?: MessagingStats) {
  const seen = { atMs: 0, toldBy: 'gateway-1', messages, processes: undefined }
  return toPicture({ ...seen, records: records.current() })
}

/** Two rounds: from nothing to what each said. */
function afterTwoRounds(...said: [Sighting, VitalsReport | undefined][]): Records {
  const records = createRecords()
  for (const [sighting, report] of said) {
    records.take(sighting, report && aReport(report.instance, report.uptimeSeconds - 2), 1)
  }
  records.endRound(1)
  for (const [sighting, report] of said) records.take(sighting, report, 2_001)
  records.endRound(2_001)
  return records
}

const arrowOf = (picture: ReturnType<typeof draw>, from: string, to: string) =>
  picture.arrows.find((arrow) => arrow.from === from && arrow.to === to)

describe('rates', () => {
  test('are per second of the process itself', () => {
    const before = aReport('carts-1', 10, {
      requests: { count: 100, failures: 1, durations: [100], routes: [] },
    })
    const routes = [{ route: '/carts', count: 20, failures: 2 }]
    const now = aReport('carts-1', 12, {
      ...{ cpuSeconds: 2, memoryBytes: 5 },
      requests: { count: 120, failures: 3, durations: [120], routes },
    })
    const rates = toRates(before, now)
    assert.equal(rates?.figures.requestsPerSecond, 10)
    assert.equal(rates.figures.errorsPerSecond, 1)
    assert.equal(rates.figures.cpuPercent, 50)
    assert.equal(rates.figures.memoryBytes, 5)
    assert.ok((rates.figures.p95Ms ?? 99) <= 1)
    assert.deepEqual(rates.routes, [{ route: '/carts', perSecond: 10, failuresPerSecond: 1 }])
  })

  test('are not of two processes, nor of one moment', () => {
    const before = aReport('carts-1', 10)
    const restarted = aReport('carts-1', 12, { startedAt: '2026-01-01T00:01:00.000Z' })
    assert.equal(toRates(before, restarted), undefined)
    assert.equal(toRates(before, before), undefined)
  })
})

describe('the picture', () => {
  test('has the arrows of the contracts when nobody says anything', () => {
    const picture = draw(createRecords())
    assert.deepEqual(arrowOf(picture, 'gateway', 'products'), {
      ...{ from: 'gateway', to: 'products', kind: 'http', perSecond: 0, failuresPerSecond: 0 },
    })
    assert.equal(arrowOf(picture, 'orders', 'payments')?.kind, 'grpc')
    assert.equal(arrowOf(picture, 'topic:products.events.v1', 'gateway')?.kind, 'topic')
    assert.equal(arrowOf(picture, 'queue:auth.set-credentials', 'auth')?.kind, 'queue')
    assert.deepEqual([picture.parts, picture.deadLetters], [[], null])
  })

  test('adds up what the instances of a service send, with the worst of their breakers', () => {
    const call = { service: 'products', kind: 'http', waiting: 0 } as const
    const gateway = (id: string, breaker: 'open' | 'closed', calls: number) =>
      aReport(id, 10, {
        upstreams: [{ ...call, calls, failures: 2, breaker }],
        requests: { count: 30, failures: 0, durations: [], routes: [] },
      })
    const picture = draw(
      afterTwoRounds(
        [at('gateway', 'a'), gateway('gateway-1', 'closed', 20)],
        [at('gateway', 'b'), gateway('gateway-2', 'open', 10)],
      ),
    )
    const arrow = arrowOf(picture, 'gateway', 'products')
    assert.deepEqual([arrow?.perSecond, arrow?.failuresPerSecond, arrow?.breaker], [15, 2, 'open'])
    assert.equal(arrowOf(picture, 'client', 'gateway')?.perSecond, 30)
    const [part] = picture.parts
    assert.deepEqual(
      part?.instances.map(({ id }) => id),
      ['gateway-1', 'gateway-2'],
    )
  })

  test('follows messages from who sends them to who applies them', () => {
    const name = 'products.events.v1'
    const products = aReport('products-1', 10, { sent: [{ kind: 'topic', name, count: 8 }] })
    const carts = aReport('carts-1', 10, {
      handled: [
        { source: name, done: 6, failed: 2 },
        { source: 'auth.set-credentials', done: 2, failed: 0 },
      ],
    })
    const picture = draw(afterTwoRounds([at('products'), products], [at('carts'), carts]))
    assert.equal(arrowOf(picture, 'products', `topic:${name}`)?.perSecond, 4)
    const applied = arrowOf(picture, `topic:${name}`, 'carts')
    assert.deepEqual([applied?.perSecond, applied?.failuresPerSecond], [3, 1])
    assert.equal(arrowOf(picture, 'queue:auth.set-credentials', 'carts')?.kind, 'queue')
  })

  test('lists an empty queue of which the broker says nothing', () => {
    const { queues } = draw(createRecords(), { queues: [], topics: [], deadLetters: 0 })
    assert.deepEqual(queues, [{ name: 'auth.set-credentials', waiting: 0 }])
  })

  test('tells of queues, topics, outboxes, pools and the cache of all gateways', () => {
    const database = { name: 'carts', size: 5, open: 3, busy: 2, waiting: 1 }
    const outbox = { waiting: 4, oldestSeconds: 1.239 }
    const carts = (id: string, waiting: number) =>
      aReport(id, 10, { databases: [database], outbox: { ...outbox, waiting } })
    const cache = { entries: 3, bytes: 100, hits: 30, sharedHits: 6, misses: 12 }
    const picture = draw(
      afterTwoRounds(
        [at('carts', 'a'), carts('carts-1', 4)],
        [at('carts', 'b'), carts('carts-2', 1)],
        [at('gateway', 'c'), aReport('gateway-1', 10, { figures: { cache } })],
      ),
      {
        queues: [{ queue: 'auth.set-credentials', depth: 2, oldestAgeSeconds: 3 }],
        topics: [{ topic: 't', group: 'carts', lag: 5 }],
        deadLetters: 1,
      },
    )
    assert.deepEqual(picture.databases, [
      { name: 'carts', service: 'carts', size: 10, busy: 4, waiting: 2 },
    ])
    assert.deepEqual(picture.outboxes, [{ service: 'carts', waiting: 4, oldestSeconds: 1.24 }])
    assert.deepEqual(picture.queues, [
      { name: 'auth.set-credentials', waiting: 2, oldestSeconds: 3 },
    ])
    assert.deepEqual(picture.topics, [{ name: 't', groups: [{ name: 'carts', lag: 5 }] }])
    assert.equal(picture.deadLetters, 1)
    assert.deepEqual(picture.cache, {
      ...{ entries: 3, bytes: 100, hitsPerSecond: 15, sharedHitsPerSecond: 3 },
      ...{ missesPerSecond: 6, hitRatio: 0.75 },
    })
  })
})

describe('what is kept of instances', () => {
  test('an instance that falls silent keeps its name and its points, and has no numbers', () => {
    const records = createRecords()
    records.take(at('carts'), aReport('carts-1', 10), 1_000)
    records.endRound(1_000)
    records.take({ ...at('carts'), state: 'unhealthy' }, undefined, 2_000)
    records.endRound(2_000)
    const [instance] = draw(records).parts[0]?.instances ?? []
    assert.deepEqual(
      [instance?.id, instance?.state, instance?.figures],
      ['carts-1', 'unhealthy', {}],
    )
    assert.equal(records.find('carts-1')?.points.length, 1)
  })

  test('after a long silence numbers begin anew', () => {
    const records = createRecords()
    records.take(at('carts'), aReport('carts-1', 10), 1_000)
    records.take(at('carts'), aReport('carts-1', 100), 91_000)
    assert.equal(records.find('carts-1')?.rates, undefined)
    records.take(at('carts'), aReport('carts-1', 101), 92_000)
    assert.ok(records.find('carts-1')?.rates)
  })

  test('five minutes are kept, of who is there and of who was', () => {
    const records = createRecords()
    for (let second = 1; second <= 400; second += 1) {
      records.take(at('carts'), aReport('carts-1', second), second * 1_000)
      if (second <= 50) records.take(at('orders'), aReport('orders-1', second), second * 1_000)
      records.endRound(second * 1_000)
      if (second === 300) assert.ok(records.find('orders-1'))
    }
    assert.equal(records.find('carts-1')?.points.length, 300)
    assert.equal(records.find('orders-1'), undefined)
    assert.equal(records.current().length, 1)
  })

  test('an instance that is found at two addresses counts once', () => {
    const records = createRecords()
    records.take(at('gateway', 'a'), aReport('gateway-1', 10), 1_000)
    records.take(at('gateway', 'b'), aReport('gateway-1', 10.1), 1_000)
    records.endRound(1_000)
    assert.equal(records.current().length, 1)
  })
})
