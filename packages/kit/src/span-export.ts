import { Pool } from 'undici'
import type { Logger } from './logging.ts'
import { createLoop } from './loop.ts'
import type { Metrics } from './metrics.ts'
import { type Resource, toOtlpJson } from './span-otlp.ts'
import type { Span } from './spans.ts'

export type SpanExportOptions = {
  /** Where OTLP over HTTP is served: `/v1/traces` is added to its path. */
  endpoint: string
  /** Sent with each batch, such as a key. */
  headers?: Readonly<Record<string, string>>
  /** Milliseconds that a batch may take. */
  timeoutMs: number
  resource: Resource
  logger: Logger
  metrics: Metrics
  /** Spans that wait at most; those that come later are dropped. Default 4,096: some 2 MB. */
  maxWaiting?: number
  /** Milliseconds between two batches. Default 1 s. */
  everyMs?: number
}

// Encoding a batch of this size keeps the event loop for a millisecond or two.
const batchSize = 256
// A process that ends must not wait long for a collector that is away.
const stopMs = 2_000
const backoff = { baseMs: 1_000, maxMs: 30_000 }
// Answers are a few bytes.
const maxAnswerBytes = 64 * 1024
const connectLimitMs = 1_000
// What another try may change; OTLP names 429, 502, 503 and 504.
const isTransient = (status: number) => status === 429 || status >= 500

type Dropped = 'queue-full' | 'refused' | 'not-sent'

/**
 * Sends spans to a collector by OTLP over HTTP in JSON, in batches, one at a time. While it is away
 * a bounded number waits; what is dropped is counted in `telemetry_spans_dropped_total`. Work is
 * never held up by it.
 */
export function createSpanExport(options: SpanExportOptions) {
  const { headers, timeoutMs, resource, logger, maxWaiting = 4_096, everyMs = 1_000 } = options
  const { sent, dropped, waiting } = createFigures(options.metrics)
  const url = new URL(options.endpoint)
  const path = `${url.pathname.replace(/\/$/, '')}/v1/traces`
  const pool = new Pool(url.origin, {
    connections: 1,
    connect: { timeout: connectLimitMs },
    maxResponseSize: maxAnswerBytes,
  })
  const queue: Span[] = []
  waiting(() => queue.length)
  const givingUp = new AbortController()
  let isStopped = false

  const drop = (reason: Dropped, count: number) => {
    if (count > 0) dropped.inc({ reason }, count)
  }

  async function send(batch: readonly Span[]): Promise<void> {
    const { statusCode, body } = await pool.request({
      method: 'POST',
      path,
      headers: { ...headers, 'content-type': 'application/json' },
      body: toOtlpJson(resource, batch),
      signal: AbortSignal.any([givingUp.signal, AbortSignal.timeout(timeoutMs)]),
    })
    const answer = await body.text()
    if (isTransient(statusCode)) throw new Error(`The collector answered ${statusCode}.`)
    const isTaken = statusCode < 300
    if (!isTaken) logger.warn({ status: statusCode }, 'The collector refuses spans.')
    const refused = isTaken ? Math.min(batch.length, readRefused(answer)) : batch.length
    drop('refused', refused)
    sent.inc(batch.length - refused)
  }

  /** The spans stay where they are until they are taken: what comes meanwhile finds the room as it is. */
  async function sendNext(): Promise<void> {
    const batch = queue.slice(0, batchSize)
    if (batch.length === 0) return
    await send(batch)
    queue.splice(0, batch.length)
  }

  const loop = createLoop({
    name: 'span export',
    logger,
    backoff,
    async round() {
      await sendNext()
      return queue.length >= batchSize ? 0 : everyMs
    },
  })

  async function flush(): Promise<void> {
    const timer = setTimeout(() => givingUp.abort(new Error('The process is stopping.')), stopMs)
    try {
      await loop.stop()
      while (queue.length > 0) await sendNext()
    } catch (error) {
      logger.warn({ error, spans: queue.length }, 'Some spans could not be sent before the end.')
      drop('not-sent', queue.splice(0).length)
    } finally {
      clearTimeout(timer)
      await pool.destroy()
    }
  }

  return {
    name: 'span export',
    /** Takes a span, or drops it when too many wait. */
    add(span: Span): void {
      if (isStopped || queue.length >= maxWaiting) drop(isStopped ? 'not-sent' : 'queue-full', 1)
      else if (queue.push(span) % batchSize === 0) loop.wake()
    },
    start: async () => loop.start(),
    /** Sends what waits, as far as that takes no more than two seconds. */
    async stop() {
      await flush()
      isStopped = true
    },
  }
}

function createFigures(metrics: Metrics) {
  return {
    sent: metrics.counter({
      name: 'telemetry_spans_sent_total',
      help: 'Spans that the collector has taken.',
    }),
    dropped: metrics.counter({
      name: 'telemetry_spans_dropped_total',
      help: 'Spans that nobody will see, by why.',
      labels: ['reason'],
    }),
    waiting(count: () => number): void {
      metrics.gauge({
        name: 'telemetry_spans_waiting',
        help: 'Spans that wait to be sent.',
        collect: (gauge) => gauge.set(count()),
      })
    },
  }
}

/** How many spans of a batch were refused (`partialSuccess`); the number comes as text or number. */
function readRefused(answer: string): number {
  return Number(/"rejectedSpans"\s*:\s*"?(\d{1,9})/.exec(answer)?.[1] ?? 0)
}
