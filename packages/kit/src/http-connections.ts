import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { Socket } from 'node:net'
import { answerUnderWay, refuseConnect, refuseExpectation } from './http-refusals.ts'

/**
 * Sees every request before it is routed; `pass` hands it on to the routes. It judges the Host
 * header itself, and where it reads a body that waits behind `Expect: 100-continue`, it asks for it
 * by `response.writeContinue()`: a request that is refused then never sends its body.
 */
export type Intercept = (
  request: IncomingMessage,
  response: ServerResponse,
  pass: () => void,
) => void

/** What connections may take. Times are in milliseconds. */
export type ConnectionLimits = {
  /** Until the head of a request must have arrived, counted from its first byte or the connect. */
  readonly headersMs: number
  /** Until a whole request must have arrived: it bounds how long a slow client holds a socket. */
  readonly requestMs: number
  /** How long a socket may be idle between two requests. */
  readonly keepAliveMs: number
  /** How long a client may take nothing of the answer that waits for it. */
  readonly stallMs: number
  /** Sockets open at once. */
  readonly total: number
  /** Sockets open at once from one address. */
  readonly perAddress: number
  /** Addresses without a bound of their own: balancers, through which everybody comes. */
  readonly isExempt: (address: string) => boolean
}

export const connectionDefaults: ConnectionLimits = {
  headersMs: 10_000,
  requestMs: 30_000,
  // Longer than the 30 s after which our clients and the load balancer drop an idle socket:
  // whoever closes second never sends a request into a socket that is being closed.
  keepAliveMs: 65_000,
  // A phone in a tunnel comes back within; one that does not has lost its connection anyway.
  stallMs: 30_000,
  // Two gateways with 256 sockets each, and room for probes.
  total: 1_024,
  // The peers of a service are few, and trusted.
  perAddress: Number.POSITIVE_INFINITY,
  isExempt: () => false,
}

// Headers of ours are under 4 KB: a token, a trace, an idempotency key.
export const maxHeaderBytes = 16 * 1024
// From here on idle sockets make room for clients that have something to ask.
const crowdedShare = 0.9

/** A Node server whose connections are bounded in number and in the time that each may take. */
export function createNodeServer(
  serve: RequestListener,
  limits: ConnectionLimits,
  intercept?: Intercept,
): Server {
  const listen = intercept ? withIntercept(serve, intercept) : serve
  const server = createServer(
    {
      headersTimeout: Math.min(limits.headersMs, limits.requestMs),
      requestTimeout: limits.requestMs,
      keepAliveTimeout: limits.keepAliveMs,
      // How far a slow client may overstay; the list of connections is ordered, so a look is cheap.
      connectionsCheckingInterval: Math.min(1_000, limits.headersMs),
      maxHeaderSize: maxHeaderBytes,
      requireHostHeader: intercept === undefined,
    },
    listen,
  )
  if (intercept) server.on('checkContinue', listen)
  server.on('checkExpectation', refuseExpectation)
  server.on('connect', (_request, socket: Socket) => refuseConnect(socket))
  closeStalled(server, limits.stallMs)
  boundConnections(server, limits)
  return server
}

function withIntercept(serve: RequestListener, intercept: Intercept): RequestListener {
  return (request, response) => {
    intercept(request, response, () => {
      const { headers, httpVersion } = request
      if (headers.expect !== undefined && httpVersion === '1.1') response.writeContinue()
      serve(request, response)
    })
  }
}

/**
 * Node tells of a socket on which nothing moved. Idle ones are closed as Node does by itself; one
 * that waits for our answer is left alone; one that does not take the answer is closed.
 */
function closeStalled(server: Server, stallMs: number): void {
  server.timeout = stallMs
  server.on('timeout', (socket: Socket) => {
    const isWaitingForUs = answerUnderWay(socket) !== undefined && socket.writableLength === 0
    if (!isWaitingForUs) socket.destroy()
  })
}

function boundConnections(server: Server, limits: ConnectionLimits): void {
  const { total, perAddress, isExempt } = limits
  const counts = new Map<string, number>()
  let open = 0
  server.maxConnections = total
  server.on('connection', (socket: Socket) => {
    const address = socket.remoteAddress
    // Gone before we looked.
    if (address === undefined) return
    const count = (counts.get(address) ?? 0) + 1
    if (count > perAddress && !isExempt(address)) {
      socket.destroy()
      return
    }
    counts.set(address, count)
    open += 1
    socket.once('close', () => {
      open -= 1
      const left = (counts.get(address) ?? 1) - 1
      if (left === 0) counts.delete(address)
      else counts.set(address, left)
    })
    if (open > total * crowdedShare) server.closeIdleConnections()
  })
}
