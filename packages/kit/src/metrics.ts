import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import {
  createUpstreamMetrics,
  type UpstreamMetrics,
  type UpstreamReport,
  type UpstreamView,
} from './balancer-metrics.ts'
import { AppError, errorTable } from './errors.ts'

type Description = { name: string; help: string; labels?: readonly string[] }

/** A service's Prometheus registry, with the measurements that the kit makes by itself. */
export type Metrics = {
  readonly registry: Registry
  /** Records one HTTP request; `route` is the path pattern, never the path. */
  observeHttp(route: string, method: string, status: number, seconds: number): void
  /** Records one gRPC call; `side` is `server` or `client`, `code` the status name. */
  observeGrpc(side: 'server' | 'client', method: string, code: string, seconds: number): void
  /** Measures a way to another service. */
  upstream(name: string, view: UpstreamView): UpstreamMetrics
  /** What happened on each way to another service since the start. */
  upstreams(): readonly UpstreamReport[]
  counter(description: Description): Counter
  /** A gauge; `collect` is called at each scrape. */
  gauge(description: Description & { collect?: (gauge: Gauge) => void | Promise<void> }): Gauge
  histogram(description: Description & { buckets?: number[] }): Histogram
}

/** Bounds of the histograms of requests, in seconds: from a cached answer to the slowest deadline. */
export const durationBuckets = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
]

/** A registry with the process's default metrics (CPU, memory, event-loop delay). */
export function createMetrics(options: { service: string }): Metrics {
  const registry = new Registry()
  registry.setDefaultLabels({ service: options.service })
  collectDefaultMetrics({ register: registry })
  const registers = [registry]
  const http = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time from the request head to the end of the answer.',
    labelNames: ['route', 'method', 'status'],
    buckets: durationBuckets,
    registers,
  })
  const grpc = new Histogram({
    name: 'grpc_call_duration_seconds',
    help: 'Time of a unary call on one side.',
    labelNames: ['side', 'method', 'code'],
    buckets: durationBuckets,
    registers,
  })
  const make = createMakers(registers)
  const upstreams = createUpstreamMetrics(make)
  return {
    registry,
    observeHttp: (route, method, status, seconds) =>
      http.observe({ route, method, status }, seconds),
    observeGrpc: (side, method, code, seconds) => grpc.observe({ side, method, code }, seconds),
    upstream: upstreams.add,
    upstreams: upstreams.report,
    ...make,
  }
}

function createMakers(registers: Registry[]): Pick<Metrics, 'counter' | 'gauge' | 'histogram'> {
  return {
    counter: ({ name, help, labels = [] }) =>
      new Counter({ name, help, labelNames: [...labels], registers }),
    gauge({ name, help, labels = [], collect }) {
      const gauge = new Gauge({ name, help, labelNames: [...labels], registers })
      if (collect) Object.assign(gauge, { collect: () => collect(gauge) })
      return gauge
    },
    histogram: ({ name, help, labels = [], buckets = durationBuckets }) =>
      new Histogram({ name, help, labelNames: [...labels], buckets, registers }),
  }
}

/** What is told besides to holders of the internal secret, by path; each takes the query. */
export type InternalDocuments = ReadonlyMap<string, (query: URLSearchParams) => Promise<unknown>>

/**
 * Serves `/metrics`, and internal documents, on a port of its own, which must not be reachable from
 * outside.
 * @param options.port 0 lets the system choose.
 */
export async function startMetricsServer(options: {
  metrics: Metrics
  host: string
  port: number
  internal?: { check: (authorization: string | undefined) => void; documents: InternalDocuments }
}): Promise<{ port: number; stop(): Promise<void> }> {
  const { registry } = options.metrics
  const { check, documents } = options.internal ?? {}
  const server = createServer(
    { requestTimeout: 5_000, headersTimeout: 5_000 },
    (request, reply) => {
      const [path = '', query = ''] = (request.url ?? '').split('?', 2)
      const document = documents?.get(path)
      const read = async () => {
        if (!document) return [await registry.metrics(), registry.contentType] as const
        check?.(request.headers.authorization)
        const content = await document(new URLSearchParams(query))
        return [JSON.stringify(content), 'application/json'] as const
      }
      if (path !== '/metrics' && !document) {
        reply.writeHead(404).end()
        return
      }
      read().then(
        ([text, type]) => reply.writeHead(200, { 'content-type': type }).end(text),
        (error: unknown) => {
          const isKnown = error instanceof AppError
          reply.writeHead(isKnown ? errorTable[error.kind].http : 500).end(String(error))
        },
      )
    },
  )
  // A scraper or two, and the other gateways; more is a mistake.
  server.maxConnections = 64
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, options.host, resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
}
