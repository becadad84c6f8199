import type { InstanceFigures } from '@halles/contracts/gen/http/gateway'
import type { VitalsReport } from '@halles/kit/vitals'
import { percentile95Ms } from '@halles/kit/vitals-requests'

/** What happened each second between two reports of one process. */
export type Rates = {
  figures: InstanceFigures
  routes: readonly { route: string; perSecond: number; failuresPerSecond: number }[]
  calls: readonly Flow[]
  sent: readonly Flow[]
  handled: readonly Flow[]
  /** Of what the service tells besides, as far as it is counted. */
  told: Readonly<Record<string, Readonly<Record<string, number>>>>
}

/** Traffic to or from something with that name. */
export type Flow = { name: string; kind?: string; perSecond: number; failuresPerSecond: number }

/** Compares two reports; undefined when they are of two processes, or of the same moment. */
export function toRates(before: VitalsReport, now: VitalsReport): Rates | undefined {
  // By the process's own clock, so that a late answer does not look like more traffic.
  const seconds = now.uptimeSeconds - before.uptimeSeconds
  if (before.startedAt !== now.startedAt || seconds <= 0) return undefined
  const perSecond = (to: number, from = 0) => round(Math.max(0, to - from) / seconds)
  const { requests } = now
  const durations = requests.durations.map(
    (count, index) => count - (before.requests.durations[index] ?? 0),
  )
  const p95Ms = percentile95Ms(durations)
  const calls = now.upstreams.map(({ service, kind, calls, failures }) => {
    const was = before.upstreams.find((each) => each.service === service && each.kind === kind)
    const failuresPerSecond = perSecond(failures, was?.failures)
    return { name: service, kind, perSecond: perSecond(calls, was?.calls), failuresPerSecond }
  })
  return {
    figures: {
      ...toFigures(now),
      cpuPercent: round((100 * (now.cpuSeconds - before.cpuSeconds)) / seconds),
      requestsPerSecond: perSecond(requests.count, before.requests.count),
      errorsPerSecond: perSecond(requests.failures, before.requests.failures),
      ...(p95Ms !== undefined && { p95Ms: round(p95Ms) }),
    },
    routes: requests.routes.map(({ route, count, failures }) => {
      const was = before.requests.routes.find((each) => each.route === route)
      const failuresPerSecond = perSecond(failures, was?.failures)
      return { route, perSecond: perSecond(count, was?.count), failuresPerSecond }
    }),
    calls,
    sent: now.sent.map(({ kind, name, count }) => {
      const was = before.sent.find((each) => each.name === name)
      return { name, kind, perSecond: perSecond(count, was?.count), failuresPerSecond: 0 }
    }),
    handled: now.handled.map(({ source: name, done, failed }) => {
      const was = before.handled.find(({ source }) => source === name)
      const failuresPerSecond = perSecond(failed, was?.failed)
      return { name, perSecond: perSecond(done, was?.done), failuresPerSecond }
    }),
    told: Object.fromEntries(
      Object.entries(now.figures).map(([subject, numbers]) => [
        subject,
        Object.fromEntries(
          Object.entries(numbers).map(([name, value]) => [
            name,
            perSecond(value, before.figures[subject]?.[name]),
          ]),
        ),
      ]),
    ),
  }
}

/** What one report alone says. */
export function toFigures({ memoryBytes, eventLoopDelayMs }: VitalsReport): InstanceFigures {
  return { memoryBytes, eventLoopDelayMs: round(eventLoopDelayMs) }
}

/** Two decimals: nobody reads more, and an event is sent each second. */
export const round = (value: number) => Math.round(value * 100) / 100
