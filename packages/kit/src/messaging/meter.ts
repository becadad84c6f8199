import type { Histogram } from 'prom-client'
import type { Handler } from '../messaging.ts'
import type { Metrics } from '../metrics.ts'

/** The histogram of tries at messages, by `source` and `outcome`. */
export const handlingMetric = 'message_handling_seconds'

/**
 * Wraps handlers so that the histogram `message_handling_seconds` gets each try. A process with two
 * adapters has one histogram.
 */
export function createHandlerMeter(metrics: Metrics | undefined) {
  const known = metrics?.registry.getSingleMetric(handlingMetric) as Histogram | undefined
  const seconds =
    known ??
    metrics?.histogram({
      name: handlingMetric,
      help: 'Time of one try at a message, by where it came from and how it ended.',
      labels: ['source', 'outcome'],
    })
  return (source: string, handler: Handler): Handler => {
    if (seconds === undefined) return handler
    return async (delivery) => {
      const startedAt = performance.now()
      let outcome = 'failed'
      try {
        await handler(delivery)
        outcome = 'done'
      } finally {
        seconds.observe({ source, outcome }, (performance.now() - startedAt) / 1_000)
      }
    }
  }
}
