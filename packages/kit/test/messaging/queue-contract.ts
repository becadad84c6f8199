import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import type { Delivery } from '../../src/messaging.ts'
import { currentTrace, formatTraceparent, newTrace, type Trace } from '../../src/trace.ts'
import type { Bench } from './contract.ts'
import {
  aMessage,
  connectAdapter,
  consume,
  eventually,
  numberOf,
  numbersOf,
  someMessages,
  sources,
  toAddress,
  unique,
} from './effects.ts'

/** The part of the contract about queues. */
export function queueContract(bench: () => Bench): void {
  test('a message arrives as it was published, with its trace and on its first try', async (t) => {
    const messaging = await bench().connect(t)
    const queue = unique('queue')
    const seen: Delivery[] = []
    messaging.consumeQueue({ queue, handler: async (delivery) => void seen.push(delivery) })
    await messaging.start()
    const message = {
      ...aMessage(1),
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      data: { n: 1, text: 'déjà vu ☕ \u2028 "quoted"', nested: { list: [1, null, 1.5] } },
    }
    await messaging.publisher.publish([{ address: { kind: 'queue', name: queue }, message }])
    await eventually(() => seen.length === 1)
    assert.deepEqual(seen[0]?.message, message)
    assert.equal(seen[0]?.attempt, 1)
  })

  test('messages published while nobody consumes wait for a consumer, through a restart', async (t) => {
    const queue = unique('queue')
    const publishing = await connectAdapter(bench().harness.adapter, unique('instance'))
    await publishing.publisher.publish(someMessages({ kind: 'queue', name: queue }, 25))
    await publishing.stop()
    const messaging = await bench().connect(t)
    const seen: Delivery[] = []
    messaging.consumeQueue({ queue, handler: async (delivery) => void seen.push(delivery) })
    await messaging.start()
    await eventually(() => seen.length === 25)
    assert.equal(new Set(numbersOf(seen)).size, 25)
    await eventually(async () => {
      const { queues } = await messaging.stats()
      return (queues.find((q) => q.queue === queue)?.depth ?? 0) === 0
    })
  })

  test('competing consumers have different messages in hand at the same time', async (t) => {
    const queue = unique('queue')
    const inHand = new Map<string, Delivery>()
    const { promise: bothHaveOne, resolve } = Promise.withResolvers<void>()
    for (const name of ['first', 'second']) {
      const messaging = await bench().connect(t)
      messaging.consumeQueue({
        queue,
        prefetch: 1,
        async handler(delivery) {
          inHand.set(name, delivery)
          if (inHand.size === 2) resolve()
          await bothHaveOne
        },
      })
      await messaging.start()
    }
    const publishing = await bench().connect(t)
    await publishing.publisher.publish(someMessages({ kind: 'queue', name: queue }, 2))
    await eventually(() => inHand.size === 2)
    await bothHaveOne
    assert.equal(new Set(numbersOf([...inHand.values()])).size, 2)
  })

  test('a stopping consumer finishes what it has in hand and leaves the rest to others', async (t) => {
    const queue = unique('queue')
    const leaving = await connectAdapter(bench().harness.adapter, unique('instance'))
    const started: number[] = []
    const { promise: mayEnd, resolve: end } = Promise.withResolvers<void>()
    leaving.consumeQueue({
      queue,
      prefetch: 1,
      async handler(delivery) {
        started.push(numberOf(delivery))
        await mayEnd
      },
    })
    await leaving.start()
    await leaving.publisher.publish(someMessages({ kind: 'queue', name: queue }, 3))
    await eventually(() => started.length === 1)
    const stopped = leaving.stop()
    end()
    await stopped
    assert.equal(started.length, 1)
    const staying = await bench().connect(t)
    const seen: Delivery[] = []
    staying.consumeQueue({ queue, handler: async (delivery) => void seen.push(delivery) })
    await staying.start()
    await eventually(() => seen.length === 2)
    assert.deepEqual([...started, ...numbersOf(seen)].sort(), [1, 2, 3])
    assert.ok(seen.every(({ attempt }) => attempt === 1))
  })
}

/** The part of the contract about what a message brings along, for both kinds. */
export function traceContract(bench: () => Bench): void {
  for (const [kind, source] of sources()) {
    test(`a handler of a ${kind} runs within the trace of its message`, async (t) => {
      const messaging = await bench().connect(t)
      const traces: Trace[] = []
      const handler = async () => {
        // What the handler calls is in the trace as well.
        await setImmediate()
        const trace = currentTrace()
        if (trace) traces.push(trace)
      }
      const { ready } = consume(messaging, source, handler)
      const subscriptions = [ready]
      if ('topic' in source) {
        const { topic } = source
        subscriptions.push(messaging.subscribeTopic({ topic, from: 'end', handler }).ready)
      }
      await messaging.start()
      await Promise.all(subscriptions)
      const sender = newTrace()
      const message = { ...aMessage(1), traceparent: formatTraceparent(sender) }
      await messaging.publisher.publish([{ address: toAddress(source), message }])
      await eventually(() => traces.length === subscriptions.length)
      for (const { traceId, spanId } of traces) {
        assert.equal(traceId, sender.traceId)
        assert.notEqual(spanId, sender.spanId)
      }
    })
  }
}
