import { type BalancedCall, createAttempts } from './attempts.ts'
import type { InstanceView, Verdict } from './discovery.ts'
import { createInstances, type InstancesOptions } from './instances.ts'
import type { Metrics } from './metrics.ts'
import {
  createBulkhead,
  createRetryBudget,
  type RetryBudget,
  upstreamBusy,
  upstreamUnavailable,
} from './resilience.ts'

export type { Attempt, BalancedCall } from './attempts.ts'

export type Balancer<C> = {
  /**
   * Makes the call at one instance, and at others where that is safe and the budget allows it.
   * Rejects with what the last attempt did, with unavailable `UPSTREAM_UNAVAILABLE` when there is no
   * instance to be asked, with `UPSTREAM_BUSY` when too many calls wait.
   */
  run<T>(call: BalancedCall<C, T>): Promise<T>
  instances(): readonly InstanceView[]
  /** Begins to follow addresses and readiness, as the first call does; resolves when they are known. */
  start(): Promise<void>
  /** Closes every connection, whatever is in flight. */
  close(): Promise<void>
}

export type BalancerOptions<C> = InstancesOptions<C> & {
  /** The service called, for messages and metrics. */
  name: string
  metrics?: Metrics | undefined
  /** Calls at once at the service, and calls that may wait for a place. */
  maxInFlight?: number | undefined
  maxWaiting?: number | undefined
  /** Answers without end at once. */
  maxStreams?: number | undefined
  retryBudget?: RetryBudget | undefined
  verdictOf(error: unknown): Verdict
}

/** The way to the instances of one service: choice, breakers, bulkheads, retries, hedging. */
export function createBalancer<C>(options: BalancerOptions<C>): Balancer<C> {
  const { name, maxInFlight = 256, maxWaiting = 256, maxStreams = 1_000 } = options
  const budget = options.retryBudget ?? createRetryBudget()
  const instances = createInstances(options)
  const { discovery } = instances
  const refuse = () => upstreamBusy(name)
  const places = createBulkhead({
    limit: maxInFlight,
    queueLimit: maxWaiting,
    refuse,
    hasRoom: discovery.hasRoom,
  })
  const streams = createBulkhead({ limit: maxStreams, queueLimit: 0, refuse })
  const view = { kind: options.kind, instances: discovery.instances, waiting: places.waiting }
  const measured = options.metrics?.upstream(name, view)
  discovery.onChange(() => {
    if (discovery.isServing()) places.admit()
    else places.refuseWaiting(upstreamUnavailable(name))
  })
  const make = createAttempts({ name, verdictOf: options.verdictOf, budget, discovery, measured })

  return {
    async run(call) {
      const endsAtMs =
        call.deadlineMs > 0 ? performance.now() + call.deadlineMs : Number.POSITIVE_INFINITY
      const known = instances.untilKnown()
      if (known) await known
      const isServing = discovery.isServing()
      // While nobody serves nobody waits either: the places may be held by calls that never end.
      if (!isServing && (!discovery.hasChoice() || places.running() >= maxInFlight)) {
        measured?.attempted('unsent')
        throw upstreamUnavailable(name)
      }
      const lane = call.isStream ? streams : places
      const turn = lane.enter(call.signal, call.deadlineMs > 0 ? call.deadlineMs : undefined)
      if (turn) await turn
      try {
        return await make(call, endsAtMs, known === undefined && turn === undefined)
      } finally {
        lane.leave()
      }
    },
    instances: discovery.instances,
    start: instances.start,
    async close() {
      measured?.remove()
      places.refuseWaiting(upstreamUnavailable(name))
      await instances.close()
    },
  }
}
