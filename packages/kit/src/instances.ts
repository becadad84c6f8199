import { type AddressSource, createAddressSource } from './address-source.ts'
import type { AddressKind } from './addresses.ts'
import { type Breaker, createBreaker } from './breaker.ts'
import { createDiscovery, type Discovery, type Instance } from './discovery.ts'
import type { Logger } from './logging.ts'
import { type Probe, type ProbeTimes, watchReadiness } from './readiness.ts'

export type InstancesOptions<C> = {
  /** Items as `parseAddress` reads them, or what tells the addresses. */
  addresses: readonly string[] | AddressSource
  kind: AddressKind
  connect(address: string): C
  disconnect(connection: C): Promise<void>
  createProbe?: ((address: string, connection: C) => Probe) | undefined
  probing?: ProbeTimes | undefined
  createBreaker?: (() => Breaker) | undefined
  maxInFlightPerInstance?: number | undefined
  logger?: Logger | undefined
}

export type Instances<C> = {
  readonly discovery: Discovery<C>
  /** Begins to follow addresses and readiness; resolves when every name was looked up once. */
  start(): Promise<void>
  /** What a call has to wait for before it can choose; starts what was not started. */
  untilKnown(): Promise<void> | undefined
  close(): Promise<void>
}

/** The instances of one service: found, connected, watched, and let go once they are idle. */
export function createInstances<C>(options: InstancesOptions<C>): Instances<C> {
  const { createProbe, logger, maxInFlightPerInstance = 128 } = options
  const { addresses, kind } = options
  const source =
    'current' in addresses
      ? addresses
      : createAddressSource({ items: addresses, kind, ...(logger && { logger }) })
  const watches = new Map<Instance<C>, { stop(): Promise<void> }>()
  const connections = new Set<C>()
  const ending = createEnding(logger)
  let started: Promise<void> | undefined
  let isKnown = false

  function watch(instance: Instance<C>): void {
    if (!createProbe || !started) return
    const probe = createProbe(instance.address, instance.connection)
    const report = (health: Instance<C>['health']) => discovery.report(instance, health)
    watches.set(instance, watchReadiness({ probe, report, ...options.probing }))
  }

  function unwatch(instance: Instance<C>): void {
    ending.add(watches.get(instance)?.stop())
    watches.delete(instance)
  }

  function disconnect({ connection }: Pick<Instance<C>, 'connection'>): void {
    if (connections.delete(connection)) ending.add(options.disconnect(connection))
  }

  const discovery: Discovery<C> = createDiscovery<C>({
    maxInFlight: maxInFlightPerInstance,
    createBreaker: options.createBreaker ?? createBreaker,
    isProbed: createProbe !== undefined,
    connect(address) {
      const connection = options.connect(address)
      connections.add(connection)
      return connection
    },
    added: watch,
    removed: unwatch,
    retired: disconnect,
  })
  discovery.update(source.current())
  source.onChange(discovery.update)

  function start(): Promise<void> {
    if (started) return started
    const first = source.start()
    started = first.then(() => {
      isKnown = true
    })
    discovery.each(watch)
    // Fixed addresses are known at once.
    isKnown = source.isComplete()
    return started
  }

  return {
    discovery,
    start,
    untilKnown() {
      if (isKnown) return undefined
      const known = start()
      return isKnown ? undefined : known
    },
    async close() {
      started ??= Promise.resolve()
      ending.add(source.stop())
      for (const instance of [...watches.keys()]) unwatch(instance)
      for (const connection of [...connections]) disconnect({ connection })
      await ending.wait()
    },
  }
}

/** What is being ended on its own, and waited for at the end of all. */
function createEnding(logger: Logger | undefined) {
  const ending = new Set<Promise<void>>()
  return {
    add(work: Promise<void> | undefined): void {
      const ended = work?.catch((error: unknown) => {
        logger?.warn({ error }, 'A connection could not be closed.')
      })
      if (!ended) return
      ending.add(ended)
      void ended.then(() => ending.delete(ended))
    },
    async wait(): Promise<void> {
      while (ending.size > 0) await Promise.all(ending)
    },
  }
}
