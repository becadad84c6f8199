import { setTimeout as delay } from 'node:timers/promises'
import { spokenKinds } from './discovery-files.ts'
import { createSlowProxy, type SlowProxy } from './slow-proxy.ts'

type Ports = Readonly<Record<string, number>>
type Slowed = { byMs: number; proxies: ReadonlyMap<string, SlowProxy> }

/** Instances that are made slow, by proxies of ours that callers are sent to instead. */
export type Slowing = {
  /** Makes everything sent to the instance late; 0 leaves only those who still hold a connection. */
  slow(instance: string, ports: Ports, byMs: number): Promise<void>
  /** Where callers should reach the instance: at a proxy's port while it is slowed. */
  reached(instance: string, ports: Ports): Ports
  byMs(instance: string): number
  /** Closes what stood before the instance, once callers had time to move over. */
  retire(instance: string): void
  /** Cuts everything at once. */
  close(): void
}

// Callers follow the list of addresses within a second; until then they may still connect.
const followMs = 3_000
// Callers that moved over close their connections; one that is still there then is held by nobody.
const closeMs = 30_000

export function createSlowing(): Slowing {
  const slowed = new Map<string, Slowed>()
  const retiring = new Set<SlowProxy>()

  async function close(proxy: SlowProxy): Promise<void> {
    await delay(followMs, undefined, { ref: false })
    await proxy.close(closeMs)
    retiring.delete(proxy)
  }

  function retire(instance: string): void {
    const { proxies } = slowed.get(instance) ?? { proxies: new Map<string, SlowProxy>() }
    slowed.delete(instance)
    for (const proxy of proxies.values()) {
      proxy.delay(0)
      retiring.add(proxy)
      void close(proxy)
    }
  }

  return {
    async slow(instance, ports, byMs) {
      if (byMs === 0) return retire(instance)
      const known = slowed.get(instance)
      if (known) {
        known.byMs = byMs
        for (const proxy of known.proxies.values()) proxy.delay(byMs)
        return
      }
      const kinds = spokenKinds.flatMap((kind) => {
        const port = ports[kind]
        return port === undefined ? [] : [{ kind, port }]
      })
      const proxies = await Promise.all(
        kinds.map(async ({ kind, port }) => [kind, await createSlowProxy(port, byMs)] as const),
      )
      slowed.set(instance, { byMs, proxies: new Map(proxies) })
    },
    reached(instance, ports) {
      const proxies = [...(slowed.get(instance)?.proxies ?? [])]
      return { ...ports, ...Object.fromEntries(proxies.map(([kind, { port }]) => [kind, port])) }
    },
    byMs: (instance) => slowed.get(instance)?.byMs ?? 0,
    retire,
    close() {
      for (const { proxies } of slowed.values())
        for (const each of proxies.values()) retiring.add(each)
      slowed.clear()
      for (const proxy of retiring) void proxy.close(0)
    },
  }
}
