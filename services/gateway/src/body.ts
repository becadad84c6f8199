import type { IncomingMessage, ServerResponse } from 'node:http'
import { AppError } from '@halles/kit/errors'

// Where the contract names no limit; the services have the same one.
const defaultLimitBytes = 64 * 1024

// A connection that is cut while the client still sends loses our answer. So what is too large is
// read to its end and dropped, up to twice the largest body that a route takes.
const droppedBytes = 32 * 1024 * 1024

/**
 * Reads a request's whole body, so that it can be counted before a service sees it and sent again
 * when a connection fails. Null when there is none. Throws `BODY_TOO_LARGE`, `CLIENT_GONE`.
 */
export function readBody(
  { request, response }: { request: IncomingMessage; response: ServerResponse },
  limitBytes = defaultLimitBytes,
): Promise<Buffer | null> | null {
  if (!hasBody(request)) return null
  const length = Number(request.headers['content-length'] ?? 0)
  if (length > limitBytes + droppedBytes) throw bodyTooLarge()
  if (isHeldBack(request)) response.writeContinue()
  return new Promise((resolve, reject) => {
    let chunks: Buffer[] = []
    let size = 0
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size <= limitBytes) {
        chunks.push(chunk)
        return
      }
      chunks = []
      if (size <= limitBytes + droppedBytes) return
      request.pause()
      reject(bodyTooLarge())
    })
    request.once('end', () => {
      if (size > limitBytes) reject(bodyTooLarge())
      else resolve(Buffer.concat(chunks, size))
    })
    request.once('close', () => {
      if (!request.complete) {
        reject(new AppError('timeout', 'CLIENT_GONE', 'The client went away.'))
      }
    })
  })
}

// What comes of a body within a moment is little work; more is cut off.
const skippedBytes = 1024 * 1024
const skipMs = 1_000

/** Drops what still comes of a body that nobody wants, within limits, and then calls back. */
export function skipBody(request: IncomingMessage, done: () => void): void {
  const { complete, destroyed } = request
  if (complete || destroyed || !hasBody(request) || isHeldBack(request)) {
    done()
    return
  }
  let size = 0
  const finish = () => {
    clearTimeout(timer)
    request.off('data', count).off('end', finish).off('close', finish).pause()
    done()
  }
  const count = (chunk: Buffer) => {
    size += chunk.length
    if (size > skippedBytes) finish()
  }
  const timer = setTimeout(finish, skipMs)
  request.on('data', count).on('end', finish).on('close', finish)
}

/** Whether a body was announced. */
export function hasBody({ headers }: IncomingMessage): boolean {
  if (headers['transfer-encoding'] !== undefined) return true
  const length = headers['content-length']
  return length !== undefined && length !== '0'
}

/** Whether the client waits for our word before it sends the body (`Expect: 100-continue`). */
function isHeldBack({ headers, httpVersion }: IncomingMessage): boolean {
  return headers.expect !== undefined && httpVersion === '1.1'
}

function bodyTooLarge(): AppError {
  return new AppError('too-large', 'BODY_TOO_LARGE', 'The body is too large.', {
    errors: [{ pointer: '/body', detail: 'is larger than allowed' }],
  })
}
