import type { ApiKind, FaultSpec, WebhookKind } from './kinds.ts'

/** A fault that is switched on, as the inspection API shows it. */
export type Fault = FaultSpec & {
  id: string
  /** Calls or deliveries that it matched, and those that it struck. */
  seen: number
  hits: number
}
export type ApiFault = Fault & { target: 'api'; kind: ApiKind }
export type WebhookFault = Fault & { target: 'webhook'; kind: WebhookKind }
/** A fault that strikes now, with the dice for its own choices. */
export type Strike<F extends Fault> = { fault: F; random: () => number }

export type Faults = ReturnType<typeof createFaults>

// More at once than anybody can keep in mind; each is asked for every call.
const maxFaults = 100

/** The faults that are switched on. They live in memory: a new process is a sound one. */
export function createFaults() {
  const active = new Map<string, { fault: Fault; random: () => number }>()
  let created = 0

  function add(spec: FaultSpec): Fault | null {
    if (active.size >= maxFaults) return null
    created += 1
    const fault: Fault = { id: `flt_${created}`, ...spec, seen: 0, hits: 0 }
    active.set(fault.id, { fault, random: seededRandom(spec.seed) })
    return fault
  }

  function take(target: Fault['target'], name: string): Strike<Fault> | null {
    for (const { fault, random } of active.values()) {
      if (fault.target !== target || !matches(fault.match, name)) continue
      fault.seen += 1
      const isDue = fault.seen > fault.skip && (fault.count === null || fault.hits < fault.count)
      // The dice are thrown for each that is due, so that a seed gives the same run each time.
      if (!isDue || (fault.probability < 1 && random() >= fault.probability)) continue
      fault.hits += 1
      return { fault, random }
    }
    return null
  }

  return {
    add,
    /** The first fault that strikes this call; null nearly always. */
    takeApi: (operation: string) =>
      active.size === 0 ? null : (take('api', operation) as Strike<ApiFault> | null),
    takeWebhook: (type: string) =>
      active.size === 0 ? null : (take('webhook', type) as Strike<WebhookFault> | null),
    isQuiet: () => active.size === 0,
    list: (): Fault[] => [...active.values()].map(({ fault }) => fault),
    remove: (id: string): boolean => active.delete(id),
    clear(): number {
      const { size } = active
      active.clear()
      return size
    },
  }
}

function matches(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : pattern === name
}

/** Mulberry32: small, and good enough to scatter faults. */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
