import { setTimeout as delay } from 'node:timers/promises'
import { AppError } from '@halles/kit/errors'
import { discoveryFile, spokenKinds } from './discovery-files.ts'
import type { Edge } from './edge.ts'
import { readJson } from './files.ts'
import type { Fleet } from './fleet.ts'
import { isUp, type Member, type ProcessEntry, type Supervisor } from './supervisor.ts'

/** Those who send requests to a part: gateways and services, and HAProxy to the gateways. */
export type Callers = {
  /**
   * Resolves when every caller that runs sends requests to these instances of a part. Throws
   * `CALLERS_BEHIND` when one still does not after half a minute.
   */
  untilFound(members: readonly Member[]): Promise<void>
  /**
   * Resolves when every caller that runs sends requests to all that runs: parts that start together
   * find some of the others away at first. Throws as `untilFound`.
   */
  untilAllFound(): Promise<void>
}

export type CallersOptions = {
  dataFolder: string
  supervisor: Pick<Supervisor, 'find' | 'status'>
  fleet: Pick<Fleet, 'canReplicate' | 'isFollowed'>
  /** Undefined where the gateways share a port: the kernel knows who listens. */
  edge: Pick<Edge, 'unused'> | undefined
  /** Whether a caller was given addresses of its own for a part, and so never meets ours. */
  isElsewhere?(caller: string, part: string): boolean
  limitMs?: number
}

/** What a caller's metrics say of its way to a part. */
type Way = { addresses: ReadonlySet<string>; wellCount: number }

// Mostly a second: a look at a list each quarter of one, a probe each half, three by HAProxy.
const defaultLimitMs = 30_000
const pauseMs = 100
// A scrape also asks the database how long the outbox is.
const scrapeLimitMs = 5_000

/** Asks callers where they send requests to. */
export function createCallers(options: CallersOptions): Callers {
  const { dataFolder, supervisor, fleet, edge, limitMs = defaultLimitMs } = options
  const { isElsewhere = () => false } = options
  const scrape = shareWhileAsked(readMetrics)

  /** Whether the caller knows what is listed of the part, and finds as many of it well as run. */
  async function hasFound({ ports }: ProcessEntry, part: string): Promise<boolean> {
    const way = readWay(await scrape(ports.metrics), part)
    if (!way) return true
    const running = supervisor.find(part).filter(isUp).length
    const lists = spokenKinds
      .map((kind) => (readJson(discoveryFile(dataFolder, part, kind)) ?? []) as string[])
      // Of the ways to speak to the part, the caller uses one or both.
      .filter((list) => list.some((address) => way.addresses.has(address)))
    const expected = lists.reduce((sum, list) => sum + Math.min(list.length, running), 0)
    const isKnown = lists.flat().every((address) => way.addresses.has(address))
    return lists.length > 0 && isKnown && way.wellCount >= expected
  }

  async function servicesBehind(part: string, done: Set<string>): Promise<string[]> {
    const asked = supervisor
      .status()
      .filter((each) => each.state === 'ready' && fleet.canReplicate(each.part))
      .filter((each) => !done.has(each.instance) && !isElsewhere(each.part, part))
    const found = await Promise.all(
      asked.map(async (caller) => {
        const hasIt = await hasFound(caller, part).catch(whileAway)
        if (hasIt) done.add(caller.instance)
        return hasIt ? [] : [caller.instance]
      }),
    )
    return found.flat()
  }

  async function haproxyBehind(gateways: readonly Member[]): Promise<string[]> {
    const names = gateways.map(({ instance }) => instance)
    const areUsed = async () => ((await edge?.unused(names)) ?? []).length === 0
    return (await areUsed().catch(whileAway)) ? [] : ['haproxy']
  }

  async function untilFound(members: readonly Member[]): Promise<void> {
    const [part = ''] = members.map((each) => each.part)
    // A caller that has found them is not asked again: a scrape takes milliseconds.
    const done = new Set<string>()
    const look = () =>
      fleet.isFollowed(part)
        ? servicesBehind(part, done)
        : haproxyBehind(part === 'gateway' ? members : [])
    const endsAtMs = performance.now() + limitMs
    for (let behind = await look(); behind.length > 0; behind = await look()) {
      if (performance.now() > endsAtMs) throw callersBehind(behind, members)
      await delay(pauseMs)
    }
  }

  return {
    untilFound,
    async untilAllFound() {
      const names = new Set(supervisor.status().map(({ part }) => part))
      await Promise.all([...names].map((name) => untilFound(supervisor.find(name).filter(isUp))))
    },
  }
}

/** Those who ask for the same at the same time get the same answer. */
function shareWhileAsked<K, T>(ask: (key: K) => Promise<T>): (key: K) => Promise<T> {
  const asked = new Map<K, Promise<T>>()
  return (key) => {
    const known = asked.get(key)
    if (known) return known
    const answer = ask(key).finally(() => asked.delete(key))
    asked.set(key, answer)
    return answer
  }
}

/** Whoever was asked is being restarted, or too busy to say: it is asked again. */
function whileAway(error: unknown): boolean {
  if (error instanceof Error) return false
  throw error
}

function callersBehind(behind: readonly string[], members: readonly Member[]): AppError {
  const names = members.map(({ instance }) => instance).join(', ')
  const message = `${behind.join(', ')} has not found ${names} in time.`
  return new AppError('unavailable', 'CALLERS_BEHIND', message)
}

const measurement = /^upstream_(?<what>instances|in_flight)\{(?<labels>.*)\} (?<value>\S+)$/
const labelIn = (labels: string, name: string) =>
  new RegExp(`(?:^|,)${name}="([^"]*)"`).exec(labels)?.[1] ?? ''

async function readMetrics(port: number | undefined): Promise<string> {
  const signal = AbortSignal.timeout(scrapeLimitMs)
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`, { signal })
  if (!answer.ok) throw new Error(`The metrics answered ${answer.status}.`)
  return answer.text()
}

/** The way of a process to the part, by its metrics; undefined when it does not call it. */
function readWay(metrics: string, part: string): Way | undefined {
  const addresses = new Set<string>()
  let wellCount = 0
  let isCaller = false
  for (const line of metrics.split('\n')) {
    const { what, labels = '', value } = measurement.exec(line)?.groups ?? {}
    if (labelIn(labels, 'upstream') !== part) continue
    isCaller = true
    if (what === 'in_flight') addresses.add(labelIn(labels, 'address'))
    // Whom a breaker keeps away is well by its probes; traffic closes the breaker.
    else if (['ready', 'ejected'].includes(labelIn(labels, 'state'))) wellCount += Number(value)
  }
  return isCaller ? { addresses, wellCount } : undefined
}
