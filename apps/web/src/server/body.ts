import type { IncomingMessage } from 'node:http'

// Forms are fields; the office also sends files (a catalogue as CSV, pictures).
const formBytes = 64 * 1024
const fileBytes = 20 * 1024 * 1024

/** The whole body of a form, within its limit. */
export async function readBody(
  request: IncomingMessage,
  path: string,
): Promise<Buffer | 'too large'> {
  const limit = path.startsWith('/office') ? fileBytes : formBytes
  if (Number(request.headers['content-length'] ?? 0) > limit) return 'too large'
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > limit) return 'too large'
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, size)
}
