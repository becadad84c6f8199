import autocannon from 'autocannon'

/** What one kind of request costs under load. Latencies in milliseconds. */
export type Measured = {
  requests: number
  perSecond: number
  p50: number
  p99: number
  /** Answers that were not what was asked for, and requests without an answer. */
  failures: number
  /** Of the answers, the share that a cache gave. */
  fromCache?: number
}

export type HttpLoad = {
  url: string
  connections: number
  seconds: number
  /** The next request; called for every one. */
  next(): { method?: 'GET' | 'POST' | 'PUT'; path: string; body?: string }
  headers?: Record<string, string>
}

/** Keeps a number of connections busy for the time given, each with one request at a time. */
export async function loadHttp(load: HttpLoad): Promise<Measured> {
  const { url, connections, seconds, headers = {} } = load
  let answers = 0
  let hits = 0
  const result = await autocannon({
    url,
    connections,
    duration: seconds,
    headers,
    // Longer than the gateway's deadline.
    timeout: 15,
    requests: [
      {
        setupRequest: (request) => ({ ...request, ...load.next() }),
        onResponse(_status, _body, _context, answer) {
          answers += 1
          if (/halles; hit/.test(headerOf(answer, 'cache-status'))) hits += 1
        },
      },
    ],
  })
  return {
    requests: result.requests.total,
    perSecond: result.requests.total / result.duration,
    p50: result.latency.p50,
    p99: result.latency.p99,
    failures: result.non2xx + result.errors + result.timeouts,
    fromCache: answers === 0 ? 0 : hits / answers,
  }
}

function headerOf(headers: unknown, name: string): string {
  if (typeof headers !== 'object' || headers === null) return ''
  return String((headers as Record<string, unknown>)[name] ?? '')
}

/** Runs a piece of work over and over, several at a time, for the time given. */
export async function loadWork(options: {
  workers: number
  seconds: number
  work(worker: number): Promise<void>
}): Promise<Measured & { lastFailure?: string }> {
  const { workers, seconds, work } = options
  const latencies: number[] = []
  let failures = 0
  let lastFailure: string | undefined
  const startedAtMs = performance.now()
  const endsAtMs = startedAtMs + seconds * 1_000
  const loop = async (worker: number) => {
    while (performance.now() < endsAtMs) {
      const atMs = performance.now()
      try {
        await work(worker)
        latencies.push(performance.now() - atMs)
      } catch (error) {
        failures += 1
        lastFailure = error instanceof Error ? error.message : String(error)
      }
    }
  }
  await Promise.all(Array.from({ length: workers }, (_none, worker) => loop(worker)))
  const tookSeconds = (performance.now() - startedAtMs) / 1_000
  latencies.sort((a, b) => a - b)
  const at = (share: number) => latencies[Math.floor((latencies.length - 1) * share)] ?? Number.NaN
  return {
    requests: latencies.length,
    perSecond: latencies.length / tookSeconds,
    p50: at(0.5),
    p99: at(0.99),
    failures,
    ...(lastFailure === undefined ? {} : { lastFailure }),
  }
}
