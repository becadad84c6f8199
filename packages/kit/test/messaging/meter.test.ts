import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Delivery } from '@halles/kit/messaging'
import { createHandlerMeter } from '@halles/kit/messaging/meter'
import { createMetrics } from '@halles/kit/metrics'

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
