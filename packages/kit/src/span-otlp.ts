import type { Span, SpanKind } from './spans.ts'

/** What the spans of a process have in common: its service, instance and version, and more. */
export type Resource = Readonly<Record<string, string>>

const kinds: Readonly<Record<SpanKind, number>> = {
  internal: 1,
  server: 2,
  client: 3,
  producer: 4,
  consumer: 5,
}
const statusError = 2
const sampledFlag = 1
// The type of somebody else's message may be anything.
const maxTextLength = 256
// More between the two clocks means that the machine slept, or that its clock was set.
const maxDriftMs = 1_000

/** The body of an OTLP/HTTP request in JSON (OTLP 1.x, `ExportTraceServiceRequest`). */
export function toOtlpJson(resource: Resource, spans: readonly Span[]): string {
  const epochMs = epochOfMonotonicClock()
  return JSON.stringify({
    resourceSpans: [
      {
        resource: { attributes: toAttributes(resource) },
        scopeSpans: [
          { scope: { name: '@halles/kit' }, spans: spans.map((span) => toOtlpSpan(span, epochMs)) },
        ],
      },
    ],
  })
}

function toOtlpSpan(span: Span, epochMs: number) {
  const { trace, name, kind, startedAtMs, endedAtMs, attributes, errorType } = span
  const { traceId, spanId, parentSpanId } = trace
  return {
    traceId,
    spanId,
    ...(parentSpanId !== undefined && { parentSpanId }),
    flags: sampledFlag,
    name: name.slice(0, maxTextLength),
    kind: kinds[kind],
    startTimeUnixNano: toNanos(epochMs + startedAtMs),
    endTimeUnixNano: toNanos(epochMs + endedAtMs),
    attributes: toAttributes(
      errorType === undefined ? attributes : { ...attributes, 'error.type': errorType },
    ),
    ...(errorType !== undefined && { status: { code: statusError } }),
  }
}

function toAttributes(attributes: Span['attributes']) {
  const list: { key: string; value: object }[] = []
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined) list.push({ key, value: toValue(value) })
  }
  return list
}

function toValue(value: string | number | boolean): object {
  if (typeof value === 'string') return { stringValue: value.slice(0, maxTextLength) }
  if (typeof value === 'boolean') return { boolValue: value }
  return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value }
}

/** The same in all batches, so that spans of one process are exact among themselves. */
function epochOfMonotonicClock(): number {
  const { timeOrigin } = performance
  const nowEpochMs = Date.now() - performance.now()
  return Math.abs(nowEpochMs - timeOrigin) > maxDriftMs ? nowEpochMs : timeOrigin
}

/** Milliseconds since 1970 as nanoseconds in decimal, of which a number cannot hold all digits. */
function toNanos(ms: number): string {
  const whole = Math.floor(ms)
  const rest = Math.min(999_999, Math.round((ms - whole) * 1_000_000))
  return `${whole}${String(rest).padStart(6, '0')}`
}
