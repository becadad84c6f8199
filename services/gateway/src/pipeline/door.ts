import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { AppError } from '@halles/kit/errors'
import { unsupportedMediaType } from '@halles/kit/http-problem'
import type { Exchange } from '../answer.ts'
import { hasBody } from '../body.ts'

/** Throws what is wrong with a request before anything else is made of it; the socket is closed. */
export type CheckDoor = (exchange: Pick<Exchange, 'request' | 'response'>) => void

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
const known = new Set(methods)
const bodiless = new Set(['GET', 'HEAD', 'OPTIONS'])

// Browsers send some 20, balancers add a handful.
const maxHeaders = 100
// A name of labels, an IPv4 address or a bracketed IPv6 address, and a port. Container networks
// have names with underscores.
const plainHost = /^(?:[a-z\d](?:[\w.-]{0,251}[a-z\d.])?|\[[\da-f:.]{2,45}\])(?::\d{1,5})?$/i
const port = /:\d{1,5}$/

// Balancers and supervisors ask by address.
const probes = new Set(['/healthz', '/readyz'])

type Singular = { readonly name: string; readonly initial: number; readonly bit: number }

/** Headers whose second value another reader of the same request might believe. */
const singular: readonly Singular[] = [
  ...['host', 'authorization', 'content-type', 'content-encoding', 'idempotency-key'],
  ...['stripe-signature', 'expect', 'origin'],
].map((name, index) => ({ name, initial: name.charCodeAt(0), bit: 1 << index }))

/** The same by length: with the first letter it tells most other headers apart without a look. */
const singularByLength: (readonly Singular[] | undefined)[] = []
for (const { name } of singular) {
  singularByLength[name.length] = singular.filter((other) => other.name.length === name.length)
}

/**
 * The checks of what every request has, before its route is known: nothing that two servers could
 * read in two ways goes further. The parser has refused what is not HTTP at all.
 * @param allowedHosts names that this shop answers to; any when there are none.
 */
export function createDoor({ allowedHosts }: { allowedHosts: readonly string[] }): CheckDoor {
  const allowed = new Set(allowedHosts.map((name) => name.toLowerCase()))

  function checkHost({ headers, httpVersion, url }: IncomingMessage): void {
    const { host } = headers
    if (host === undefined && httpVersion === '1.0' && allowed.size === 0) return
    if (host === undefined || !plainHost.test(host)) {
      throw invalidHeader('INVALID_HOST', 'host', 'must be one host name, with or without a port')
    }
    if (allowed.size === 0 || allowed.has(nameOf(host)) || probes.has(url ?? '')) return
    throw invalidHeader('INVALID_HOST', 'host', 'is not a name of this shop')
  }

  // Connections on which one request was refused. What the parser finds behind it in the same bytes
  // may not have been a request to whoever sent them on.
  const closing = new WeakSet<Socket>()

  return ({ request, response }) => {
    // The parser drops what follows an upgrade in the same bytes, so nothing may follow.
    if (request.headers.upgrade !== undefined) response.shouldKeepAlive = false
    try {
      if (closing.has(request.socket)) throw malformed('The request before was refused.')
      checkFraming(request)
      checkHost(request)
      checkMethod(request)
      checkEncoding(request)
    } catch (error) {
      closing.add(request.socket)
      response.shouldKeepAlive = false
      throw error
    }
  }
}

function checkFraming({ httpVersion, headers, rawHeaders }: IncomingMessage): void {
  // The parser takes the request lines of 0.9 and 2.0 too, which have other framings.
  if (httpVersion !== '1.1' && httpVersion !== '1.0') {
    throw malformed('HTTP/1.1 is spoken here.')
  }
  if (rawHeaders.length > maxHeaders * 2) {
    throw new AppError('invalid', 'TOO_MANY_HEADERS', 'The request has too many headers.')
  }
  const coding = headers['transfer-encoding']
  if (coding !== undefined && (coding.toLowerCase() !== 'chunked' || httpVersion === '1.0')) {
    throw invalidHeader('MALFORMED_HTTP', 'transfer-encoding', 'must be chunked alone, in HTTP/1.1')
  }
  const repeated = findRepeated(rawHeaders)
  if (repeated) throw invalidHeader('REPEATED_HEADER', repeated, 'must be sent once')
}

/** Node keeps the first or joins them, other servers take the last: so there must be one. */
function findRepeated(rawHeaders: readonly string[]): string | undefined {
  let seen = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string
    const candidates = singularByLength[name.length]
    if (!candidates) continue
    const initial = name.charCodeAt(0) | 0x20
    for (const each of candidates) {
      if (each.initial !== initial || name.toLowerCase() !== each.name) continue
      if (seen & each.bit) return each.name
      seen |= each.bit
    }
  }
  return undefined
}

function checkMethod(request: IncomingMessage): void {
  const { method = '' } = request
  if (!known.has(method)) {
    throw new AppError('not-allowed', 'METHOD_NOT_ALLOWED', 'No path here has this method.', {
      details: { allow: methods },
    })
  }
  if (!bodiless.has(method) || !hasBody(request)) return
  throw new AppError('invalid', 'BODY_NOT_EXPECTED', `A ${method} request has no body here.`, {
    errors: [{ pointer: '/body', detail: 'is not expected here' }],
  })
}

/** Nobody here decodes bodies, so that none can unfold into more than its limit. */
function checkEncoding({ headers }: IncomingMessage): void {
  const encoding = headers['content-encoding']
  if (encoding === undefined || encoding.toLowerCase() === 'identity') return
  throw unsupportedMediaType('a body without content-encoding', 'content-encoding')
}

function nameOf(host: string): string {
  return host.replace(port, '').replace(/\.$/, '').toLowerCase()
}

function malformed(detail: string): AppError {
  return new AppError('invalid', 'MALFORMED_HTTP', detail)
}

function invalidHeader(code: string, name: string, detail: string): AppError {
  return new AppError('invalid', code, 'The request has headers that cannot be used.', {
    errors: [{ pointer: `/headers/${name}`, detail }],
  })
}
