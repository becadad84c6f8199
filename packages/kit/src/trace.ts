import { AsyncLocalStorage } from 'node:async_hooks'
import { randomFillSync } from 'node:crypto'
import type { Tracer } from './spans.ts'

/** Where we are in a distributed trace (W3C Trace Context). */
export type Trace = {
  readonly traceId: string
  readonly spanId: string
  /** The span that this one is below; absent at the root. */
  readonly parentSpanId?: string
  readonly isSampled: boolean
}

/** A message that is being handled. */
export type Handled = {
  readonly id: string
  readonly correlationId: string
  /** Set by the inbox, when it was applied before. */
  isRepeated?: boolean
}

/** What travels with a request through every call it causes. */
export type RequestContext = {
  readonly trace: Trace
  /** When the caller stops waiting, on the monotonic clock of `performance.now()`. */
  readonly deadlineAtMs?: number | undefined
  /** The message that is being handled; absent while a request is. */
  readonly handled?: Handled | undefined
  /** Who is told of the spans below; absent when nobody is. */
  readonly tracer?: Tracer | undefined
  /** What the work says of itself in its span; present when that is told. */
  readonly notes?: Record<string, string> | undefined
  /** Present in work that nobody asked for: whether anything below refers to its span. */
  readonly root?: { isUsed: boolean } | undefined
}

const contexts = new AsyncLocalStorage<RequestContext>()

// Version 00 exactly; a higher version may append fields, which we ignore as the standard says.
const pattern = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/
const zeroTrace = '0'.repeat(32)
const zeroSpan = '0'.repeat(16)

/** Reads a `traceparent` header; undefined when it is missing or malformed. */
export function parseTraceparent(header: string | undefined): Trace | undefined {
  if (header === undefined || header.length > 128) return undefined
  const match = pattern.exec(header)
  if (!match) return undefined
  const [, version, traceId = '', spanId = '', flags = '00', rest] = match
  if (version === 'ff' || (version === '00' && rest !== undefined)) return undefined
  if (traceId === zeroTrace || spanId === zeroSpan) return undefined
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 }
}

/** Writes the `traceparent` header of a trace. */
export function formatTraceparent(trace: Trace): string {
  return `00-${trace.traceId}-${trace.spanId}-${trace.isSampled ? '01' : '00'}`
}

/** Starts a trace of its own. */
export function newTrace(): Trace {
  return { traceId: randomHex(16), spanId: newSpanId(), isSampled: true }
}

/** A new span below the given one, or a new trace without one. */
export function childOf(parent: Trace | undefined): Trace {
  if (parent === undefined) return newTrace()
  const { traceId, spanId: parentSpanId, isSampled } = parent
  return { traceId, spanId: newSpanId(), parentSpanId, isSampled }
}

/** A trace for what nobody records, so that nobody below looks for a parent that is not there. */
export function newUnrecordedTrace(): Trace {
  return { ...newTrace(), isSampled: false }
}

function newSpanId(): string {
  return randomHex(8)
}

// Drawn many at a time: asking the system for each id would cost more than the rest of a trace.
const pool = Buffer.allocUnsafeSlow(4_096)
let used = pool.length

function randomHex(bytes: number): string {
  if (used + bytes > pool.length) {
    randomFillSync(pool)
    used = 0
  }
  const from = used
  used += bytes
  const hex = pool.toString('hex', from, used)
  // All zeros is no id; it comes up once in 2⁶⁴.
  return /[^0]/.test(hex) ? hex : randomHex(bytes)
}

/** All that is known of the request being served, if there is one. */
export function currentContext(): RequestContext | undefined {
  return contexts.getStore()
}

/** The trace of the request being served, if there is one. */
export function currentTrace(): Trace | undefined {
  return contexts.getStore()?.trace
}

/** What a message says of where it comes from; the names are those of CloudEvents extensions. */
export type Origin = {
  /** The trace in which the change was made. */
  readonly traceparent: string
  /**
   * The flow that the message belongs to: the id of the first request's trace, which is also its
   * `x-request-id`, handed on from message to message.
   */
  readonly correlationid: string
  /** The message whose handling emitted this one; absent when a request or a timer did. */
  readonly causationid?: string
}

/** The origin of what is emitted now. Outside of requests and handlers a flow begins here. */
export function currentOrigin(): Origin {
  const { trace = newUnrecordedTrace(), handled, root } = contexts.getStore() ?? {}
  if (root) root.isUsed = true
  return {
    traceparent: formatTraceparent(trace),
    correlationid: handled?.correlationId ?? trace.traceId,
    ...(handled && { causationid: handled.id }),
  }
}

/** Runs the work, and all that it awaits, in a context. */
export function runWithContext<T>(context: RequestContext, work: () => T): T {
  return contexts.run(context, work)
}

/** Runs the work with no more than so many milliseconds, which the calls that it makes inherit. */
export function runWithDeadline<T>(limitMs: number, work: () => T): T {
  const deadlineAtMs = performance.now() + remainingMs(limitMs)
  return contexts.run({ trace: newUnrecordedTrace(), ...contexts.getStore(), deadlineAtMs }, work)
}

/**
 * Milliseconds that a call may take: the limit given, or less when the request being served has
 * less left. Zero or negative when its deadline has passed.
 */
export function remainingMs(limitMs: number): number {
  const deadlineAtMs = contexts.getStore()?.deadlineAtMs
  return deadlineAtMs === undefined ? limitMs : Math.min(limitMs, deadlineAtMs - performance.now())
}

/** The header in which callers say how many milliseconds they will go on waiting. */
export const deadlineHeader = 'x-request-deadline-ms'

// No caller waits longer than this for an answer, so a larger claim only pins resources.
const maxDeadlineMs = 60_000

/** Reads {@link deadlineHeader} as a moment on the monotonic clock; undefined when unusable. */
export function parseDeadline(header: string | undefined): number | undefined {
  if (header === undefined || !/^\d{1,6}$/.test(header)) return undefined
  return performance.now() + Math.min(Number(header), maxDeadlineMs)
}
