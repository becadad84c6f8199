import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { AppError, toProblem } from './errors.ts'

type Refusal = { readonly status: number; readonly headers: string[]; readonly body: string }

/** Made once: names and values of the headers in turn, and the connection ends with it. */
function refusal(status: number, error: AppError): Refusal {
  const body = JSON.stringify({ ...toProblem(error), status })
  const headers = [
    ...['content-type', 'application/problem+json; charset=utf-8'],
    ...['content-length', String(Buffer.byteLength(body))],
    ...['x-content-type-options', 'nosniff', 'cache-control', 'no-store', 'connection', 'close'],
  ]
  return { status, headers, body }
}

const malformed = refusal(
  400,
  new AppError('invalid', 'MALFORMED_HTTP', 'The request is not valid HTTP.'),
)
const noTunnel = refusal(
  405,
  new AppError('not-allowed', 'METHOD_NOT_ALLOWED', 'There are no tunnels here.'),
)
const tooSlow = refusal(
  408,
  new AppError('timeout', 'REQUEST_TOO_SLOW', 'The request arrived too slowly.'),
)
const unmetExpectation = refusal(
  417,
  new AppError('invalid', 'EXPECTATION_UNKNOWN', 'Nothing but 100-continue can be expected.'),
)
const headersTooLarge = refusal(
  431,
  new AppError('too-large', 'HEADERS_TOO_LARGE', 'The headers are too large.'),
)

const byErrorCode: Readonly<Record<string, Refusal>> = {
  HPE_HEADER_OVERFLOW: headersTooLarge,
  ERR_HTTP_REQUEST_TIMEOUT: tooSlow,
}

// A socket that is closed while the client still sends is reset, and the reset overtakes our
// answer. So what still comes is read and dropped for as long as an answer needs to arrive.
const lingerMs = 1_000

const refused = new WeakSet<Socket>()

/**
 * Answers bytes that are no HTTP request, or come too slowly, and closes the connection. They never
 * get an answer that could be taken for that of an earlier request on the same connection.
 */
export function refuseBadRequest(error: Error & { code?: string }, socket: Socket): void {
  // The parser complains of every further byte.
  if (refused.has(socket)) return
  refused.add(socket)
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const answer = answerUnderWay(socket)
  if (answer && (answer.req.complete || answer.headersSent)) {
    // The fault is in what follows a request that is being served: it gets its answer, no other.
    answer.shouldKeepAlive = false
    answer.once('finish', () => socket.destroySoon())
    return
  }
  close(socket, byErrorCode[error.code ?? ''] ?? malformed)
}

/** Answers a CONNECT, which Node would leave without an answer. */
export function refuseConnect(socket: Socket): void {
  // Node no longer listens on a socket that it hands over.
  socket.on('error', () => socket.destroy())
  socket.resume()
  close(socket, noTunnel)
}

/** Answers an `Expect` that is not `100-continue` (RFC 9110 §10.1.1). */
export function refuseExpectation(_request: IncomingMessage, response: ServerResponse): void {
  const { status, headers, body } = unmetExpectation
  response.writeHead(status, headers).end(body)
}

/** The first answer that is not finished; Node decides by the same field whether it may write. */
export function answerUnderWay(socket: Socket & { _httpMessage?: ServerResponse | null }) {
  return socket._httpMessage ?? undefined
}

function close(socket: Socket, { status, headers, body }: Refusal): void {
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n`
  for (let index = 0; index < headers.length; index += 2) {
    head += `${headers[index]}: ${headers[index + 1]}\r\n`
  }
  socket.end(`${head}\r\n${body}`)
  const timer = setTimeout(() => socket.destroy(), lingerMs)
  socket.once('close', () => clearTimeout(timer))
}
