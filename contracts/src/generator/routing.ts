import { type RouteSource, type ServiceSource, toAccess } from './http.ts'

/** `rates.yaml`: how often a client may come, and how long its requests may take, by class. */
export type RateSources = Record<string, { perSecond: number; burst: number; deadlineMs: number }>

type Tables = {
  rates: RateSources
  /** `shedding.yaml`: milliseconds of event-loop delay, by class. */
  shedding: Record<string, number>
}

const types = `export type PublicRoute = {
  operation: string
  service: string
  method: string
  path: string
  access: { kind: string; permission?: string }
  rate: RateClass
  /** In which order it is turned away under overload. */
  shed: ShedClass
  /** Milliseconds until the head of its answer. */
  deadlineMs: number
  cache?: { maxAgeSeconds: number; staleWhileRevalidateSeconds: number; staleIfErrorSeconds: number }
  bodyLimitBytes?: number
  stream?: boolean
  /** The action under which the audit log keeps who does it. */
  audit?: string
  idempotent?: boolean
  /** The names of its query parameters, sorted. */
  query: readonly string[]
}`

function queryNames({ query }: RouteSource): string[] {
  const { page, properties = {} } = query === 'page' ? { page: true } : (query ?? {})
  return [...(page ? ['limit', 'cursor'] : []), ...Object.keys(properties)].sort()
}

function toPublicRoute(
  { service, operation, route }: { service: string; operation: string; route: RouteSource },
  { rates, shedding }: Tables,
) {
  const { method, path, rate, cache, bodyLimitBytes, stream, audit, idempotent } = route
  const access = toAccess(route.access)
  const shed = access.kind === 'permission' ? 'operator' : rate
  const known = rates[rate]
  if (!known) throw new Error(`${operation}: rates.yaml has no class “${rate}”.`)
  if (shedding[shed] === undefined) {
    throw new Error(`${operation}: shedding.yaml has no class “${shed}”.`)
  }
  const { deadlineMs = known.deadlineMs } = route
  return {
    ...{ operation, service, method, path, access, rate, shed, deadlineMs },
    ...(cache && { cache }),
    ...(bodyLimitBytes && { bodyLimitBytes }),
    ...(stream && { stream }),
    ...(audit && { audit }),
    ...(idempotent && { idempotent }),
    query: queryNames(route),
  }
}

/** What the gateway routes by: every route that is not internal, without its schemas. */
export function toRoutingModule(sources: ServiceSource[], tables: Tables): string {
  const routes = sources.flatMap(({ service, routes: all }) =>
    Object.entries(all)
      .filter(([, route]) => route.access !== 'internal')
      .map(([operation, route]) => toPublicRoute({ service, operation, route }, tables)),
  )
  return [
    types,
    `export const rates = ${JSON.stringify(tables.rates, null, 2)} as const`,
    'export type RateClass = keyof typeof rates',
    `export const shedding = ${JSON.stringify(tables.shedding, null, 2)} as const`,
    'export type ShedClass = keyof typeof shedding',
    `export const publicRoutes: readonly PublicRoute[] = ${JSON.stringify(routes, null, 2)}`,
  ].join('\n\n')
}
