import type { IncomingMessage } from 'node:http'
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
  request: IncomingMessage,
  limitBytes = defaultLimitBytes,
): Promise<Buffer | null> | null {
  const length = request.headers['content-length']
  const isChunked = request.headers['transfer-encoding'] !== undefined
  if (!isChunked && (length === undefined || length === '0')) return null
  if (length !== undefined && Number(length) > limitBytes + droppedBytes) throw bodyTooLarge()
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

function bodyTooLarge(): AppError {
  return new AppError('too-large', 'BODY_TOO_LARGE', 'The body is too large.', {
    errors: [{ pointer: '/body', detail: 'is larger than allowed' }],
  })
}
