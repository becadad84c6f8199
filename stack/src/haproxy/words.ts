import { isIP } from 'node:net'

/** A text, or the name of an environment variable that holds it when HAProxy starts. */
export type Value = string | { variable: string }

function refuse(kind: string, value: unknown): never {
  throw new RangeError(`${JSON.stringify(value)} is not ${kind}.`)
}

/** A port from 1 to 65535. */
export function portOf(port: number): number {
  return Number.isInteger(port) && port > 0 && port <= 65_535 ? port : refuse('a port', port)
}

/** An address as HAProxy wants it before a port: `*`, an IP address, or a host name. */
export function addressOf(host: string): string {
  if (host === '0.0.0.0') return '*'
  // Scoped addresses (%eth0) have no use here, and percent signs a meaning of their own.
  if (isIP(host) === 6 && !host.includes('%')) return `[${host}]`
  const isName = /^[a-z0-9]([a-z0-9._-]{0,251}[a-z0-9])?$/i.test(host)
  return host === '*' || isIP(host) === 4 || isName ? host : refuse('an address', host)
}

/** A network: `10.0.0.0/8`, `fd00::/8` or an address alone. */
export function networkOf(network: string): string {
  const [address = '', bits, ...rest] = network.split('/')
  const version = isIP(address)
  const most = version === 6 ? 128 : 32
  const isGood = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= most)
  return version > 0 && isGood && rest.length === 0 ? network : refuse('a network', network)
}

/** A name of a server, user or group: one word without meaning to HAProxy. */
export function nameOf(name: string): string {
  return /^[\w.-]{1,64}$/.test(name) ? name : refuse('a name', name)
}

/** A file name in quotes, taken as it is. */
export function pathOf(path: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused.
  if (path === '' || /[\x00-\x1f\x7f]/.test(path)) refuse('a file name', path)
  return `'${path.replaceAll("'", `'\\''`)}'`
}

/** The name of an environment variable. */
export function variableOf(name: string): string {
  return /^[A-Z][A-Z0-9_]*$/.test(name) ? name : refuse('a variable', name)
}

/** A file name, given or to be read from the environment. */
export function settingOf(value: Value): string {
  return typeof value === 'string' ? pathOf(value) : `"\${${variableOf(value.variable)}}"`
}
