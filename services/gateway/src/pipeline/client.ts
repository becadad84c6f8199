import type { IncomingMessage } from 'node:http'
import { BlockList, isIP, type Socket } from 'node:net'
import { LRUCache } from 'lru-cache'

/** Who sent a request, as far as its connection and trusted proxies tell. */
export type Client = {
  readonly address: string
  /** What its requests are counted under: the address, or the network of an IPv6 address. */
  readonly bucket: string
  readonly protocol: 'http' | 'https'
}

export type ReadClient = (request: IncomingMessage) => Client

// Nobody has more proxies before us; the rest of a longer header was made up.
const maxHops = 8
// What a balancer sends for most clients is one address: reading it again would cost more than
// looking it up. Some 200 bytes each.
const rememberedHeaders = 10_000
const longestRemembered = 64

/**
 * Tells the client of a request. `X-Forwarded-For` and `X-Forwarded-Proto` count only when the peer
 * of the socket is a trusted proxy; then the client is the right-most address that is none, because
 * each proxy appends the peer that it saw and what stands further left is anybody's claim.
 * @param trusted addresses and networks (CIDR).
 */
export function createClientReader(trusted: readonly string[]): ReadClient {
  const proxies = toBlockList(trusted)
  // The peer of a socket does not change: its verdict is made once, not per request.
  const direct = new WeakMap<Socket, Client | 'proxy'>()
  const byHeader = new LRUCache<string, string>({ max: rememberedHeaders })

  function judge(socket: Socket): Client | 'proxy' {
    const peer = plainAddress(socket.remoteAddress ?? '')
    const verdict = isTrusted(proxies, peer) ? 'proxy' : toClient(peer, 'http')
    direct.set(socket, verdict)
    return verdict
  }

  function forwardedAddress(header: string, peer: string): string {
    const key = header.length <= longestRemembered ? `${peer} ${header}` : undefined
    const known = key && byHeader.get(key)
    if (known) return known
    const address = rightmostUntrusted(proxies, header, peer)
    if (key) byHeader.set(key, address)
    return address
  }

  return ({ socket, headers }) => {
    const verdict = direct.get(socket) ?? judge(socket)
    if (verdict !== 'proxy') return verdict
    const peer = plainAddress(socket.remoteAddress ?? '')
    const header = headers['x-forwarded-for']
    const address = typeof header === 'string' ? forwardedAddress(header, peer) : peer
    return toClient(address, forwardedProtocol(headers['x-forwarded-proto']))
  }
}

/** Tells whether an address, as a socket shows it, is a trusted proxy's. */
export function createProxyTest(trusted: readonly string[]): (address: string) => boolean {
  const proxies = toBlockList(trusted)
  return (address) => isTrusted(proxies, plainAddress(address))
}

/** Parses addresses and networks. Throws an Error that names what is neither. */
export function toBlockList(items: readonly string[]): BlockList {
  const list = new BlockList()
  for (const item of items) {
    const [address = '', length, more] = item.split('/')
    const version = isIP(address)
    const bits = version === 6 ? 128 : 32
    const isPrefix = length === undefined || (/^\d{1,3}$/.test(length) && Number(length) <= bits)
    if (version === 0 || !isPrefix || more !== undefined) {
      throw new Error(`“${item}” is neither an IP address nor a network such as 10.0.0.0/8.`)
    }
    list.addSubnet(address, Number(length ?? bits), version === 6 ? 'ipv6' : 'ipv4')
  }
  return list
}

function isTrusted(proxies: BlockList, address: string): boolean {
  const version = isIP(address)
  return version !== 0 && proxies.check(address, version === 6 ? 'ipv6' : 'ipv4')
}

function rightmostUntrusted(proxies: BlockList, header: string, peer: string): string {
  let nearest = peer
  for (const item of header.split(',').reverse().slice(0, maxHops)) {
    const address = plainAddress(item.trim())
    // What is no address was not written by a proxy of ours: its sender is all that is known.
    if (isIP(address) === 0) return nearest
    if (!isTrusted(proxies, address)) return address
    nearest = address
  }
  return nearest
}

function forwardedProtocol(header: string | string[] | undefined): Client['protocol'] {
  const last = String(header ?? '')
    .split(',')
    .at(-1)
  return last?.trim().toLowerCase() === 'https' ? 'https' : 'http'
}

/** An IPv4 address that a dual-stack socket shows as IPv6 (`::ffff:1.2.3.4`) as itself. */
function plainAddress(address: string): string {
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address
}

function toClient(address: string, protocol: Client['protocol']): Client {
  const bucket = isIP(address) === 6 ? networkOf(address) : address
  return { address, bucket: bucket || 'unknown', protocol }
}

/**
 * The /64 network of an IPv6 address. A subscriber is given at least that much, and whoever may
 * choose among 2⁶⁴ addresses would otherwise have as many buckets.
 */
function networkOf(address: string): string {
  const plain = (address.split('%', 1)[0] ?? '').replace(/\d+\.\d+\.\d+\.\d+$/, '0:0')
  const [head = '', tail] = plain.split('::')
  const groups = (text: string) => (text === '' ? [] : text.split(':'))
  const [left, right] = [groups(head), groups(tail ?? '')]
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length
  const all = [...left, ...Array<string>(zeros).fill('0'), ...right]
  const network = all.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16))
  return `${network.join(':')}::/64`
}
