import { isIP } from 'node:net'

/** What the addresses of a service look like: `http://host:port`, or `host:port` for gRPC. */
export type AddressKind = 'http' | 'grpc'

/** One item of a list of addresses. */
export type AddressItem =
  | { readonly source: 'fixed'; readonly address: string }
  /** Every A and AAAA record of the name, on one port. */
  | { readonly source: 'dns'; readonly name: string; readonly port: number }
  /** The SRV records of the name: hosts and ports. */
  | { readonly source: 'srv'; readonly name: string }
  /** A JSON array of fixed addresses, followed while it changes. */
  | { readonly source: 'file'; readonly path: URL }

const name = /^[\w-]+(\.[\w-]+)*\.?$/

/**
 * Reads `http://host:port` (`host:port` for gRPC), `dns+http://name:port`, `srv+http://_http._tcp.name`
 * (`+grpc` for gRPC) and `file:///path.json`.
 * @throws Error whose message says what an item must look like and never repeats it.
 */
export function parseAddress(text: string, kind: AddressKind): AddressItem {
  const fixed = parseFixed(text, kind)
  if (fixed) return { source: 'fixed', address: fixed }
  const url = URL.parse(text)
  const isBare = url?.pathname === '' || url?.pathname === '/'
  if (url?.protocol === 'file:' && url.host === '') return { source: 'file', path: url }
  if (url?.protocol === `dns+${kind}:` && isBare && url.port && name.test(url.hostname)) {
    return { source: 'dns', name: url.hostname, port: Number(url.port) }
  }
  if (url?.protocol === `srv+${kind}:` && isBare && !url.port && name.test(url.hostname)) {
    return { source: 'srv', name: url.hostname }
  }
  const example = kind === 'http' ? 'http://host:port' : 'host:port'
  throw new Error(
    `must list addresses like ${example}, dns+${kind}://name:port, ` +
      `srv+${kind}://_${kind}._tcp.name or file:///path.json.`,
  )
}

/** A fixed address in its one spelling; undefined when it is none. */
export function parseFixed(text: string, kind: AddressKind): string | undefined {
  if (kind === 'grpc') {
    const match = /^(\[[\da-f:.]+\]|[\w.-]+):(\d{1,5})$/i.exec(text)
    const isPort = Number(match?.[2]) > 0 && Number(match?.[2]) < 65_536
    return isPort ? text : undefined
  }
  const url = URL.parse(text)
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') return undefined
  return `${url.origin}/` === url.href ? url.origin : undefined
}

/** The address of an IP or a name, and a port. */
export function formatAddress(host: string, port: number, kind: AddressKind): string {
  const authority = `${isIP(host) === 6 ? `[${host}]` : host}:${port}`
  return kind === 'http' ? `http://${authority}` : authority
}
