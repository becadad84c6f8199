import type { Counter, Gauge } from 'prom-client'
import type { BreakerState } from './breaker.ts'
import type { InstanceView, Verdict } from './discovery.ts'

/** What is read of a way to a service at each scrape. */
export type UpstreamView = {
  readonly kind: 'http' | 'grpc'
  instances(): readonly InstanceView[]
  waiting(): number
}

/** Counts what happens on one way to a service. */
export type UpstreamMetrics = {
  /** A call, or one of its attempts, ended. */
  attempted(verdict: Verdict): void
  /** @param reason how the attempt before ended. */
  retried(reason: string): void
  hedged(): void
  hedgeWon(): void
  /** Ends what `upstream` began. */
  remove(): void
}

/** What is known of one way to a service. */
export type UpstreamReport = {
  service: string
  kind: 'http' | 'grpc'
  /** Attempts since the start, and those of them that the service failed. */
  calls: number
  failures: number
  waiting: number
  /** The worst one. */
  breaker: BreakerState
}

type Tally = { name: string; calls: number; failures: number }

type Make = {
  counter(description: { name: string; help: string; labels: readonly string[] }): Counter
  gauge(description: {
    name: string
    help: string
    labels: readonly string[]
    collect: (gauge: Gauge) => void
  }): Gauge
}

const states = ['ready', 'draining', 'unhealthy', 'ejected'] as const
const openness = { closed: 0, 'half-open': 0.5, open: 1 } as const

/** The measurements of every way to a service, made once for a registry. */
export function createUpstreamMetrics({ counter, gauge }: Make) {
  const views = new Map<UpstreamView, Tally>()
  const labels = ['upstream']
  const collect =
    (read: (name: string, view: UpstreamView, gauge: Gauge) => void) => (g: Gauge) => {
      // Instances come and go; those that are gone are not told any more.
      g.reset()
      for (const [view, { name }] of views) read(name, view, g)
    }
  gauge({
    name: 'upstream_instances',
    help: 'Instances of a service by state, as this process sees them.',
    labels: [...labels, 'state'],
    collect: collect((upstream, view, g) => {
      for (const state of states) g.set({ upstream, state }, 0)
      for (const { state } of view.instances()) g.inc({ upstream, state })
    }),
  })
  gauge({
    name: 'upstream_breaker_open',
    help: '1 while the breaker of an instance is open, 0.5 while it is half-open.',
    labels: [...labels, 'address'],
    collect: collect((upstream, view, g) => {
      for (const { address, breaker } of view.instances()) {
        g.set({ upstream, address }, openness[breaker])
      }
    }),
  })
  gauge({
    name: 'upstream_in_flight',
    help: 'Calls under way at an instance.',
    labels: [...labels, 'address'],
    collect: collect((upstream, view, g) => {
      for (const { address, inFlight } of view.instances()) {
        g.set({ upstream, address }, inFlight)
      }
    }),
  })
  gauge({
    name: 'upstream_waiting',
    help: 'Calls that wait for a place.',
    labels,
    collect: collect((upstream, view, g) => g.inc({ upstream }, view.waiting())),
  })
  const retries = counter({
    name: 'upstream_retries_total',
    help: 'Attempts after the first, by how the one before ended.',
    labels: [...labels, 'reason'],
  })
  const hedges = counter({
    name: 'upstream_hedges_total',
    help: 'Calls also sent to a second instance.',
    labels,
  })
  const wins = counter({
    name: 'upstream_hedges_won_total',
    help: 'Calls that the second instance answered first.',
    labels,
  })
  countAttempts(counter, views)

  function add(upstream: string, view: UpstreamView): UpstreamMetrics {
    const tally = { name: upstream, calls: 0, failures: 0 }
    views.set(view, tally)
    return {
      attempted(verdict) {
        if (verdict === 'cancelled') return
        tally.calls += 1
        if (verdict !== 'worked') tally.failures += 1
      },
      retried: (reason) => retries.inc({ upstream, reason }),
      hedged: () => hedges.inc({ upstream }),
      hedgeWon: () => wins.inc({ upstream }),
      remove: () => void views.delete(view),
    }
  }

  return {
    add,
    report: (): UpstreamReport[] => [...views].map(([view, tally]) => toReport(view, tally)),
  }
}

/** Counted as plain numbers, since a label costs more than the rest of a call, and copied when asked for. */
function countAttempts(counter: Make['counter'], views: ReadonlyMap<UpstreamView, Tally>): void {
  for (const each of ['calls', 'failures'] as const) {
    const total = counter({
      name: `upstream_${each}_total`,
      help: each === 'calls' ? 'Attempts at calls.' : 'Attempts at calls that the service failed.',
      labels: ['upstream'],
    })
    Object.assign(total, {
      collect() {
        total.reset()
        for (const tally of views.values()) total.inc({ upstream: tally.name }, tally[each])
      },
    })
  }
}

function toReport(view: UpstreamView, { name, calls, failures }: Tally): UpstreamReport {
  const breakers = view.instances().map(({ breaker }) => breaker)
  const breaker = (['open', 'half-open'] as const).find((state) => breakers.includes(state))
  return {
    ...{ service: name, kind: view.kind, calls, failures },
    waiting: view.waiting(),
    breaker: breaker ?? 'closed',
  }
}
