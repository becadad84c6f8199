import type { Handler } from '../messaging.ts'
import type { Metrics } from '../metrics.ts'

/** Wraps handlers so that the histogram `message_handling_seconds` gets each try. */
export function createHandlerMeter(metrics: Metrics | undefined) {
  const seconds = metrics?.histogram({
    name: 'message_handling_seconds',
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
