import type { Histogram } from 'prom-client'
import { durationBuckets, type Metrics } from './metrics.ts'

/** Requests served, over HTTP and gRPC. */
export type RequestsReport = {
  count: number
  /** Those that ended in a fault of the server's. */
  failures: number
  /** Requests by time, in seconds up to each of `durationBuckets`, and longer. */
  durations: readonly number[]
  /** The busiest routes. */
  routes: readonly { route: string; count: number; failures: number }[]
}

type Value = {
  value: number
  labels: Partial<Record<string, string | number>>
  metricName?: string
}

// What watches the process is not its work.
const ownRoutes = /^\/(healthz|readyz|internal\/v1\/vitals)$|\/grpc\.health\./
const mostRoutes = 40
// The gRPC statuses that blame the server: UNKNOWN, DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE, DATA_LOSS.
const grpcFaults = new Set(['UNKNOWN', 'DEADLINE_EXCEEDED', 'INTERNAL', 'UNAVAILABLE', 'DATA_LOSS'])

/** Adds up the histograms of requests. */
export async function readRequests(metrics: Metrics): Promise<RequestsReport> {
  const served = [
    ...(await valuesOf(metrics, 'http_request_duration_seconds')).map((each) => ({
      ...each,
      route: String(each.labels.route),
      isFailure: Number(each.labels.status) >= 500,
    })),
    ...(await valuesOf(metrics, 'grpc_call_duration_seconds'))
      .filter(({ labels }) => labels.side === 'server')
      .map((each) => ({
        ...each,
        route: String(each.labels.method),
        isFailure: grpcFaults.has(String(each.labels.code)),
      })),
  ].filter(({ route }) => !ownRoutes.test(route))

  const routes = new Map<string, { route: string; count: number; failures: number }>()
  const upTo = new Map<string, number>()
  const total = { count: 0, failures: 0 }
  for (const { metricName, labels, value, route, isFailure } of served) {
    if (metricName?.endsWith('_bucket')) {
      const bound = String(labels.le)
      upTo.set(bound, (upTo.get(bound) ?? 0) + value)
    } else if (metricName?.endsWith('_count')) {
      const entry = routes.get(route) ?? { route, count: 0, failures: 0 }
      routes.set(route, entry)
      for (const each of [entry, total]) {
        each.count += value
        if (isFailure) each.failures += value
      }
    }
  }
  const cumulative = [...durationBuckets.map(String), '+Inf'].map((bound) => upTo.get(bound) ?? 0)
  return {
    ...total,
    durations: cumulative.map((value, index) => value - (cumulative[index - 1] ?? 0)),
    routes: [...routes.values()].sort((a, b) => b.count - a.count).slice(0, mostRoutes),
  }
}

/** The values of one metric, without asking any other for its own. */
export async function valuesOf(metrics: Metrics, name: string): Promise<Value[]> {
  const metric = metrics.registry.getSingleMetric(name) as Histogram | undefined
  return metric ? (await metric.get()).values : []
}

/**
 * The time that all but one in twenty requests stayed below, in milliseconds; undefined without
 * requests. As exact as the buckets are.
 * @param durations requests by time, as in {@link RequestsReport}.
 */
export function percentile95Ms(durations: readonly number[]): number | undefined {
  const total = durations.reduce((sum, each) => sum + each, 0)
  if (total === 0) return undefined
  let seen = 0
  for (const [index, count] of durations.entries()) {
    const before = seen
    seen += count
    if (seen < total * 0.95) continue
    const lower = durationBuckets[index - 1] ?? 0
    const upper = durationBuckets[index] ?? lower
    return 1_000 * (lower + ((upper - lower) * (total * 0.95 - before)) / count)
  }
  return undefined
}
