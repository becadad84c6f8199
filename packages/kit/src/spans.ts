import { AppError } from './errors.ts'
import {
  childOf,
  currentContext,
  newTrace,
  newUnrecordedTrace,
  type RequestContext,
  runWithContext,
  type Trace,
} from './trace.ts'

/** The side of a call, as OpenTelemetry names it; `internal` for work that is no call. */
export type SpanKind = 'internal' | 'server' | 'client' | 'producer' | 'consumer'

/**
 * What a span tells of its work. Never anything of a person: no path with its ids, no query, no
 * header, no text of an error.
 */
export type SpanFacts = {
  readonly name: string
  /** By the names of OpenTelemetry's semantic conventions. Those that are undefined are left out. */
  readonly attributes: Readonly<Record<string, string | number | boolean | undefined>>
  /** Present when the work failed: a code, a status or the name of an error. */
  readonly errorType?: string | undefined
}

/** A piece of work that is over; both moments are on the clock of `performance.now()`. */
export type Span = SpanFacts & {
  readonly kind: SpanKind
  readonly trace: Trace
  readonly startedAtMs: number
  readonly endedAtMs: number
}

/** Who is told of spans. Contexts carry it, so that calls find it where they are made. */
export type Tracer = {
  /** A span below the caller's, or the root of a trace, of which a share is sampled. */
  join(caller: Trace | undefined): Trace
  /** Takes a span that is over. Whoever calls has looked whether its trace is sampled. */
  record(span: Span): void
}

/** A call that is being made. */
export type OpenSpan = {
  /** What the other side is told to be below. */
  readonly trace: Trace
  /** Ends it; only the first time counts. `describe` is called only when somebody is told. */
  end(describe: () => SpanFacts): void
}

const ignore = () => undefined

/** Opens a span below the one of a context, by default the one at hand. */
export function openSpan(
  kind: SpanKind,
  context: Pick<RequestContext, 'trace' | 'tracer' | 'root'> | undefined = currentContext(),
): OpenSpan {
  if (!context) return { trace: newUnrecordedTrace(), end: ignore }
  const trace = childOf(context.trace)
  const { tracer, root } = context
  if (!tracer || !trace.isSampled) return { trace, end: ignore }
  if (root) root.isUsed = true
  const startedAtMs = performance.now()
  let isOpen = true
  return {
    trace,
    end(describe) {
      if (!isOpen) return
      isOpen = false
      tracer.record({ kind, trace, startedAtMs, endedAtMs: performance.now(), ...describe() })
    },
  }
}

/** Notes an id of no person, by which traces are found, in the span of the request being served. */
export function annotate(name: string, value: string): void {
  const notes = currentContext()?.notes
  if (notes) notes[name] = value
}

/** The context of a request that joins its caller's trace. */
export function joinTrace(
  tracer: Tracer | undefined,
  caller: Trace | undefined,
): Pick<RequestContext, 'trace' | 'tracer' | 'notes'> {
  if (!tracer) return { trace: childOf(caller) }
  const trace = tracer.join(caller)
  return trace.isSampled ? { trace, tracer, notes: {} } : { trace, tracer }
}

/**
 * Runs background work as the root of a trace. Its span is told only when the work called somebody,
 * emitted a message or failed: most looks for work find none.
 */
export async function runAsRoot<T>(
  tracer: Tracer | undefined,
  name: string,
  work: () => Promise<T>,
): Promise<T> {
  if (!tracer) return work()
  const trace = tracer.join(undefined)
  const root = { isUsed: false }
  const startedAtMs = performance.now()
  let errorType: string | undefined
  try {
    return await runWithContext({ trace, tracer, root }, work)
  } catch (error) {
    errorType = toErrorType(error)
    throw error
  } finally {
    if (trace.isSampled && (root.isUsed || errorType !== undefined)) {
      const endedAtMs = performance.now()
      const facts = { name, attributes: {}, errorType }
      tracer.record({ kind: 'internal', trace, startedAtMs, endedAtMs, ...facts })
    }
  }
}

/** What may be told of an error: its code, or what it calls itself. */
export function toErrorType(error: unknown): string {
  if (error instanceof AppError) return error.code
  if (!(error instanceof Error)) return 'unknown'
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name
}

// 52 bits of a trace id, which are random, and as many as a number holds.
const sampledDigits = 13
const sampledRange = 16 ** sampledDigits

/** @param options.ratio the share of the traces that begin here which is sampled, from 0 to 1. */
export function createTracer(options: { ratio: number; record(span: Span): void }): Tracer {
  const { ratio, record } = options
  return {
    join(caller) {
      if (caller) return childOf(caller)
      const trace = newTrace()
      const place = Number.parseInt(trace.traceId.slice(-sampledDigits), 16) / sampledRange
      return place < ratio ? trace : { ...trace, isSampled: false }
    },
    record,
  }
}
