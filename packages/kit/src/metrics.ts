import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

type Description = { name: string; help: string; labels?: readonly string[] }

/** A service's Prometheus registry, with the measurements that the kit makes by itself. */
export type Metrics = {
  readonly registry: Registry
  /** Records one HTTP request; `route` is the path pattern, never the path. */
  observeHttp(route: string, method: string, status: number, seconds: number): void
  /** Records one gRPC call; `side` is `server` or `client`, `code` the status name. */
  observeGrpc(side: 'server' | 'client', method: string, code: string, seconds: number): void
  counter(description: Description): Counter
  /** A gauge; `collect` is called at each scrape. */
  gauge(description: Description & { collect?: (gauge: Gauge) => void | Promise<void> }): Gauge
  histogram(description: Description & { buckets?: number[] }): Histogram
}

// From a cached answer to the slowest deadline, in seconds.
const durationBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

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
  return {
    registry,
    observeHttp: (route, method, status, seconds) =>
      http.observe({ route, method, status }, seconds),
    observeGrpc: (side, method, code, seconds) => grpc.observe({ side, method, code }, seconds),
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

/**
 * Serves `/metrics` on a port of its own, which must not be reachable from outside.
 * @param options.port 0 lets the system choose.
 */
export async function startMetricsServer(options: {
  metrics: Metrics
  host: string
  port: number
}): Promise<{ port: number; stop(): Promise<void> }> {
  const { registry } = options.metrics
  const server = createServer(
    { requestTimeout: 5_000, headersTimeout: 5_000 },
    (request, reply) => {
      if (request.url !== '/metrics') {
        reply.writeHead(404).end()
        return
      }
      registry.metrics().then(
        (text) => reply.writeHead(200, { 'content-type': registry.contentType }).end(text),
        (error: unknown) => reply.writeHead(500).end(String(error)),
      )
    },
  )
  // A scraper or two; more is a mistake.
  server.maxConnections = 16
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
