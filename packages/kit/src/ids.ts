import { randomUUID } from 'node:crypto'

/**
 * A UUID version 7 (RFC 9562): 48 bits of milliseconds, then randomness, so that ids made later
 * sort later and index pages stay dense.
 */
export function uuidv7(nowMs: number = Date.now()): string {
  const time = nowMs.toString(16).padStart(12, '0')
  // A version 4 UUID already carries the variant bits and 74 random bits in the places we need.
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`
}

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i

/** Whether the text is a UUID of any version in its canonical form. */
export function isUuid(text: string): boolean {
  return uuidPattern.test(text)
}
