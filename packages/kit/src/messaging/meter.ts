import type { Counter, Histogram } from 'prom-client'
import type { Handler } from '../messaging.ts'
import type { Metrics } from '../metrics.ts'
import { messageFacts } from '../span-facts.ts'
import { type Tracer, toErrorType } from '../spans.ts'
import { currentContext, runWithContext } from '../trace.ts'

/** The histogram of tries at messages, by `source` and `outcome`. */
export const handlingMetric = 'message_handling_seconds'
const duplicatesMetric = 'inbox_duplicates_total'

/**
 * Wraps handlers so that the histogram `message_handling_seconds` and the tracer get each try. A
 * process with two adapters has one histogram.
 * @param tracing.system the broker, by OpenTelemetry's name.
 */
export function createHandlerMeter(
  metrics: Metrics | undefined,
  { tracer, system = '' }: { tracer?: Tracer | undefined; system?: string } = {},
) {
  const known = metrics?.registry.getSingleMetric(handlingMetric) as Histogram | undefined
  const seconds =
    known ??
    metrics?.histogram({
      name: handlingMetric,
      help: 'Time of one try at a message, by where it came from and how it ended.',
      labels: ['source', 'outcome'],
    })
  const duplicates =
    (metrics?.registry.getSingleMetric(duplicatesMetric) as Counter | undefined) ??
    metrics?.counter({
      name: duplicatesMetric,
      help: 'Messages that came again after they had been applied, by where they came from.',
      labels: ['source'],
    })
  return (source: string, handle: Handler): Handler => {
    const handler = tracer ? traced({ tracer, system, source }, handle) : handle
    if (seconds === undefined) return handler
    return async (delivery) => {
      const startedAt = performance.now()
      let outcome = 'failed'
      try {
        await handler(delivery)
        outcome = 'done'
      } finally {
        seconds.observe({ source, outcome }, (performance.now() - startedAt) / 1_000)
        if (currentContext()?.handled?.isRepeated) duplicates?.inc({ source })
      }
    }
  }
}

/** Tells of each try, below the sender's span. */
function traced(
  { tracer, system, source }: { tracer: Tracer; system: string; source: string },
  handler: Handler,
): Handler {
  return async (delivery) => {
    // Whoever delivers has opened the context of the message.
    const context = currentContext()
    if (!context?.trace.isSampled) return handler(delivery)
    const { trace } = context
    const startedAtMs = performance.now()
    let errorType: string | undefined
    try {
      await runWithContext({ ...context, tracer }, () => handler(delivery))
    } catch (error) {
      errorType = toErrorType(error)
      throw error
    } finally {
      const { message, attempt } = delivery
      const about = { name: source, message, system, attempt, errorType }
      const facts = messageFacts({ operation: 'process', ...about })
      const endedAtMs = performance.now()
      tracer.record({ kind: 'consumer', trace, startedAtMs, endedAtMs, ...facts })
    }
  }
}
