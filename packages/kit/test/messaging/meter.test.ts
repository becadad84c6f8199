import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Tx } from '@halles/kit/database'
import { uuidv7 } from '@halles/kit/ids'
import { recordMessage } from '@halles/kit/inbox'
import type { Delivery } from '@halles/kit/messaging'
import { createHandlerMeter } from '@halles/kit/messaging/meter'
import { createMetrics } from '@halles/kit/metrics'
import { newUnrecordedTrace, runWithContext } from '@halles/kit/trace'

test('two adapters of one process measure into one histogram', async () => {
  const metrics = createMetrics({ service: 'test' })
  const delivery = {} as Delivery
  await createHandlerMeter(metrics)('queue', async () => undefined)(delivery)
  await createHandlerMeter(metrics)('topic', async () => undefined)(delivery)
  const text = await metrics.registry.metrics()
  for (const source of ['queue', 'topic']) {
    assert.match(
      text,
      new RegExp(`^message_handling_seconds_count\\{.*source="${source}".*\\} 1$`, 'm'),
    )
  }
})

test('a message that was applied before is counted by where it came from', async () => {
  const metrics = createMetrics({ service: 'test' })
  const delivery = { message: { id: uuidv7() } } as Delivery
  // What a try finds in the inbox: the first time the row is new, then it is there.
  const found = [1, 0, 0]
  const tx = { run: async () => found.shift() ?? 0 } as unknown as Tx
  const handle = createHandlerMeter(metrics)('topic', async ({ message }) => {
    await recordMessage(tx, message.id, 'test')
  })
  for (const _try of [1, 2, 3]) {
    const trace = newUnrecordedTrace()
    const handled = { id: delivery.message.id, correlationId: trace.traceId }
    await runWithContext({ trace, handled }, () => handle(delivery))
  }
  const text = await metrics.registry.metrics()
  assert.match(text, /^inbox_duplicates_total\{.*source="topic".*\} 2$/m)
})
