import { Pool } from 'undici'
import { createDiscovery, type Discovery, type Instance } from './discovery.ts'
import { AppError } from './errors.ts'
import {
  type Breaker,
  backoffMs,
  createBreaker,
  createBulkhead,
  createRetryBudget,
  type RetryBudget,
} from './resilience.ts'
import { childOf, currentTrace, deadlineHeader, formatTraceparent, remainingMs } from './trace.ts'

export type HttpCall = {
  method: string
  path: string
  headers?: Readonly<Record<string, string>>
  /** Sent as JSON, unless it is text or bytes. */
  body?: unknown
  deadlineMs?: number
  signal?: AbortSignal
  /** Whether the call may be repeated; GET and HEAD always may. */
  isIdempotent?: boolean
}

/** Any answer, whatever its status; `body` is parsed when it is JSON. */
export type HttpAnswer = {
  status: number
  headers: Readonly<Record<string, string | string[] | undefined>>
  body: unknown
}

export type HttpClient = {
  /**
   * @throws unavailable `UPSTREAM_UNAVAILABLE` when no instance answered in time, `UPSTREAM_BUSY`
   *   when too many calls wait.
   */
  request(call: HttpCall): Promise<HttpAnswer>
  close(): Promise<void>
}

export type HttpClientOptions = {
  /** The service called, for messages. */
  name: string
  /** Origins (`http://127.0.0.1:8081`), or a discovery that is shared. */
  addresses: readonly string[] | Discovery
  deadlineMs: number
  /** Sockets per instance. */
  connections?: number
  /** Calls in flight, and calls that may wait for a place. */
  maxInFlight?: number
  maxWaiting?: number
  retryBudget?: RetryBudget
  createBreaker?: () => Breaker
}

type Target = { pool: Pool; breaker: Breaker }
type Attempt = { answer: HttpAnswer } | { error: unknown; wasSent: boolean }

// The first try and two others: with more, a broken service sees triple its load.
const maxAttempts = 3
// Shorter than the servers' 65 s, so that we never write into a socket being closed.
const idleSocketMs = 30_000
// Inside one network a connection takes under a millisecond; a second means a lost packet.
const connectLimitMs = 1_000
// Larger answers are streamed, not asked for through this client.
const maxAnswerBytes = 8 * 1024 * 1024

/** The undici pool that we use towards one instance: no pipelining, bounded in every way. */
export function createInstancePool(address: string, options: { connections: number }): Pool {
  return new Pool(address, {
    connections: options.connections,
    // One request at a time on a socket: a slow one does not hold up others behind it.
    pipelining: 1,
    keepAliveTimeout: idleSocketMs,
    keepAliveMaxTimeout: idleSocketMs,
    connect: { timeout: connectLimitMs },
  })
}

/** A client of one service, for calls that are small and answered as a whole. */
export function createHttpClient(options: HttpClientOptions): HttpClient {
  const { name, deadlineMs, connections = 32, maxInFlight = 128, maxWaiting = 128 } = options
  const { addresses } = options
  const discovery = 'pick' in addresses ? addresses : createDiscovery(addresses)
  const budget = options.retryBudget ?? createRetryBudget()
  const newBreaker = options.createBreaker ?? createBreaker
  const targets = new Map<string, Target>()
  const bulkhead = createBulkhead({
    limit: maxInFlight,
    queueLimit: maxWaiting,
    refuse: () => unavailable('UPSTREAM_BUSY', `Too many calls wait for ${name}.`),
  })

  function targetOf(instance: Instance): Target {
    let target = targets.get(instance.address)
    if (!target) {
      target = {
        pool: createInstancePool(instance.address, { connections }),
        breaker: newBreaker(),
      }
      targets.set(instance.address, target)
    }
    return target
  }

  async function attempt(instance: Instance, call: HttpCall, leftMs: number): Promise<Attempt> {
    const { pool, breaker } = targetOf(instance)
    if (!breaker.allow()) return { error: new Error('The breaker is open.'), wasSent: false }
    discovery.started(instance)
    try {
      const answer = await send(pool, call, leftMs)
      discovery.finished(instance, 'worked')
      if (answer.status === 503) breaker.failure()
      else breaker.success()
      return { answer }
    } catch (error) {
      if (call.signal?.aborted) {
        breaker.release()
        discovery.finished(instance, 'cancelled')
        throw call.signal.reason
      }
      breaker.failure()
      const wasSent = !isConnectError(error)
      discovery.finished(instance, wasSent ? 'cancelled' : 'failed')
      return { error, wasSent }
    }
  }

  async function requestWithRetries(call: HttpCall): Promise<HttpAnswer> {
    const endsAtMs = performance.now() + remainingMs(call.deadlineMs ?? deadlineMs)
    const mayRepeat = call.isIdempotent ?? ['GET', 'HEAD'].includes(call.method)
    const tried = new Set<Instance>()
    let last: Attempt | undefined
    budget.deposit()
    for (let count = 1; count <= maxAttempts; count += 1) {
      const leftMs = endsAtMs - performance.now()
      if (leftMs < 1) break
      const instance = pickOther(discovery, tried)
      tried.add(instance)
      last = await attempt(instance, call, leftMs)
      if ('answer' in last && last.answer.status !== 503) return last.answer
      // What never left this process may be sent again whatever it is.
      const isSafe = mayRepeat || ('error' in last && !last.wasSent)
      if (!isSafe || count === maxAttempts || !budget.withdraw()) break
      await pause(Math.min(backoffMs(count, { baseMs: 20, maxMs: 200 }), leftMs))
    }
    if (last && 'answer' in last) return last.answer
    throw unavailable('UPSTREAM_UNAVAILABLE', `${name} does not answer right now.`, last?.error)
  }

  return {
    request: (call) => bulkhead.run(() => requestWithRetries(call)),
    async close() {
      await Promise.all([...targets.values()].map(({ pool }) => pool.destroy()))
    },
  }
}

function pickOther(discovery: Discovery, tried: ReadonlySet<Instance>): Instance {
  // With every instance tried, the best of them gets another chance.
  return tried.size < discovery.instances().length ? discovery.pick(tried) : discovery.pick()
}

async function send(pool: Pool, call: HttpCall, leftMs: number): Promise<HttpAnswer> {
  const isText = typeof call.body === 'string' || Buffer.isBuffer(call.body)
  const body = isText || call.body === undefined ? call.body : JSON.stringify(call.body)
  const timeout = AbortSignal.timeout(Math.ceil(leftMs))
  const answer = await pool.request({
    method: call.method as 'GET',
    path: call.path,
    headers: {
      ...(call.body !== undefined && !isText ? { 'content-type': 'application/json' } : {}),
      traceparent: formatTraceparent(childOf(currentTrace())),
      [deadlineHeader]: String(Math.floor(leftMs)),
      ...call.headers,
    },
    body: (body as string | Buffer | undefined) ?? null,
    signal: call.signal ? AbortSignal.any([call.signal, timeout]) : timeout,
  })
  const text = await readBounded(answer.body)
  const isJson = /[/+]json\b/.test(String(answer.headers['content-type'] ?? ''))
  const parsed: unknown = isJson && text !== '' ? JSON.parse(text) : text
  return { status: answer.statusCode, headers: answer.headers, body: parsed }
}

async function readBounded(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size > maxAnswerBytes) throw new Error('The answer is too large.')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, size).toString('utf8')
}

const connectErrorCodes = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
])

/** Whether the connection itself failed, so that no byte of the request can have been served. */
export function isConnectError(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if ('code' in error && connectErrorCodes.has(String(error.code))) return true
  return error instanceof AggregateError && error.errors.some(isConnectError)
}

function unavailable(code: string, message: string, cause?: unknown): AppError {
  return new AppError('unavailable', code, message, { retryAfterSeconds: 1, cause })
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}
