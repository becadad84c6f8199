import { Resolver } from 'node:dns/promises'
import { readFile, stat } from 'node:fs/promises'
import {
  type AddressItem,
  type AddressKind,
  formatAddress,
  parseAddress,
  parseFixed,
} from './addresses.ts'
import type { Logger } from './logging.ts'

/** The addresses of one service, as they are now. */
export type AddressSource = {
  current(): readonly string[]
  /** Whether every item was looked up; fixed addresses need not be. */
  isComplete(): boolean
  /** Called with the new list whenever it changes. */
  onChange(listener: (addresses: readonly string[]) => void): void
  /** Follows names and files from now on; resolves when each was looked up once. */
  start(): Promise<void>
  stop(): Promise<void>
}

export type AddressSourceOptions = {
  items: readonly string[]
  kind: AddressKind
  logger?: Logger
  /** Milliseconds between two look-ups of a name, ± a tenth. */
  resolveEveryMs?: number
  /** Milliseconds between two looks at a file. */
  readEveryMs?: number
  resolver?: Pick<Resolver, 'resolve4' | 'resolve6' | 'resolveSrv'>
  random?: () => number
}

type Following = {
  readonly item: AddressItem
  addresses: readonly string[]
  isFailing: boolean
  wasLookedUp: boolean
}
type LookUp = () => Promise<readonly string[] | undefined>

// Records of names in a cluster live 5 to 30 s.
const defaultResolveEveryMs = 5_000
// One `stat` each time. Notices of the file system get lost on some mounts and on renames.
const defaultReadEveryMs = 250
// More instances than this are a mistake, and each one costs a connection and a probe.
const maxAddresses = 256
const maxFileBytes = 64 * 1024
const dnsLimits = { timeout: 1_000, tries: 2 }

/**
 * Follows a list of addresses. What cannot be looked up keeps its last known answer, and each change
 * between working and failing is logged once.
 *
 * A name that exists without records is an answer: it has no instance now. A name that is unknown is
 * taken for a failure: a broken zone or a name server that just started says the same, addresses that
 * are gone are found out by probes and connections, and to forget all of them would be an outage.
 */
export function createAddressSource(options: AddressSourceOptions): AddressSource {
  const { kind, logger, random = Math.random } = options
  const { resolveEveryMs = defaultResolveEveryMs, readEveryMs = defaultReadEveryMs } = options
  const resolver = options.resolver ?? new Resolver(dnsLimits)
  const followed = options.items.map((text) => toFollowing(parseAddress(text, kind)))
  const moving = followed.filter(({ item }) => item.source !== 'fixed')
  const listeners: ((addresses: readonly string[]) => void)[] = []
  const timers = new Set<NodeJS.Timeout>()
  let current = merge(followed)
  let isStopped = false
  let started: Promise<void> | undefined

  function take(following: Following, addresses: readonly string[]): void {
    following.addresses = addresses
    const next = merge(followed)
    if (next.join() === current.join()) return
    current = next
    for (const listener of listeners) listener(current)
  }

  async function look(following: Following, lookUp: LookUp): Promise<void> {
    const where = describe(following.item)
    try {
      const addresses = await lookUp()
      if (isStopped) return
      if (following.isFailing) logger?.info({ where }, 'Addresses can be looked up again.')
      following.isFailing = false
      if (addresses) take(following, addresses)
    } catch (error) {
      if (!(error instanceof Error)) throw error
      if (!following.isFailing && !isStopped) {
        logger?.warn({ where, error }, 'Addresses cannot be looked up; the last known stay.')
      }
      following.isFailing = true
    }
    following.wasLookedUp = true
  }

  function follow(following: Following): Promise<void> {
    const { item } = following
    const lookUp = createLookUp(item, kind, resolver)
    const everyMs = item.source === 'file' ? readEveryMs : resolveEveryMs
    const next = () => {
      if (isStopped) return
      const wait = () => {
        timers.delete(timer)
        void look(following, lookUp).then(next)
      }
      // A process must be able to end while it only looks where others are.
      const timer = setTimeout(wait, everyMs * (0.9 + random() / 5)).unref()
      timers.add(timer)
    }
    const first = look(following, lookUp)
    void first.then(next)
    return first
  }

  return {
    current: () => current,
    isComplete: () => moving.every(({ wasLookedUp }) => wasLookedUp),
    onChange: (listener) => void listeners.push(listener),
    start() {
      started ??= Promise.all(moving.map(follow)).then(() => undefined)
      return started
    },
    async stop() {
      isStopped = true
      for (const timer of timers) clearTimeout(timer)
      await started
    },
  }
}

function toFollowing(item: AddressItem): Following {
  const addresses = item.source === 'fixed' ? [item.address] : []
  return { item, addresses, isFailing: false, wasLookedUp: false }
}

function merge(followed: readonly Following[]): readonly string[] {
  const all = followed.flatMap(({ addresses }) => addresses)
  return [...new Set(all)].slice(0, maxAddresses)
}

function describe(item: AddressItem): string {
  if (item.source === 'fixed') return item.address
  return item.source === 'file' ? item.path.pathname : item.name
}

type DnsResolver = NonNullable<AddressSourceOptions['resolver']>

function createLookUp(item: AddressItem, kind: AddressKind, resolver: DnsResolver): LookUp {
  switch (item.source) {
    case 'fixed':
      return async () => [item.address]
    case 'dns':
      return async () =>
        (await resolveHost(resolver, item.name)).map((ip) => formatAddress(ip, item.port, kind))
    case 'srv':
      return () => resolveService(resolver, item.name, kind)
    case 'file':
      return createFileReader(item.path, kind)
  }
}

/** IPs in a stable order. Throws when any of the two questions failed. */
async function resolveHost(resolver: DnsResolver, host: string): Promise<string[]> {
  const families = [resolver.resolve4(host), resolver.resolve6(host)]
  const [four = [], six = []] = await Promise.all(families.map(noneWithoutData))
  return [...four.toSorted(), ...six.toSorted()]
}

/** The hosts of the lowest priority. Weights do not matter: calls go where the least are in flight. */
async function resolveService(
  resolver: DnsResolver,
  service: string,
  kind: AddressKind,
): Promise<string[]> {
  const records = await noneWithoutData(resolver.resolveSrv(service))
  const best = Math.min(...records.map(({ priority }) => priority))
  // The root as host says that the service is decidedly not there (RFC 2782).
  const chosen = records.filter(({ priority, name }) => priority === best && name !== '')
  const hosts = await Promise.all(
    chosen.slice(0, maxAddresses).map(async ({ name, port }) => {
      const ips = await resolveHost(resolver, name)
      return ips.map((ip) => formatAddress(ip, port, kind))
    }),
  )
  return hosts.flat().toSorted()
}

async function noneWithoutData<T>(answer: Promise<T[]>): Promise<T[]> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENODATA') return []
    throw error
  }
}

/** Reads the file when it changed; undefined when it did not. Half a file is a failure. */
function createFileReader(path: URL, kind: AddressKind): LookUp {
  let seen = ''
  return async () => {
    const { size, mtimeMs, ino } = await stat(path)
    const mark = `${ino} ${size} ${mtimeMs}`
    if (mark === seen) return undefined
    if (size > maxFileBytes) throw new Error('The file is too large.')
    // Until it was read as a whole, the next look reads it again.
    seen = ''
    const addresses = parseFile(await readFile(path, 'utf8'), kind)
    seen = mark
    return addresses
  }
}

function parseFile(text: string, kind: AddressKind): string[] {
  const list: unknown = JSON.parse(text)
  if (!Array.isArray(list)) throw new Error('The file must hold a JSON array of addresses.')
  return list.map((item: unknown) => {
    const address = typeof item === 'string' ? parseFixed(item, kind) : undefined
    if (!address) throw new Error('The file must hold fixed addresses only.')
    return address
  })
}
