import { createHash, timingSafeEqual } from 'node:crypto'
import { AppError } from './errors.ts'

/** A check of `Authorization: Internal <secret>` between services, in constant time. */
export function createInternalCheck(secret: string): (header: string | undefined) => void {
  const expected = digest(`Internal ${secret}`)
  return (header) => {
    if (!timingSafeEqual(digest(header ?? ''), expected)) {
      throw new AppError('unauthenticated', 'INTERNAL_SECRET_REQUIRED', 'For services only.')
    }
  }
}

/** The header value that {@link createInternalCheck} accepts. */
export function internalAuthorization(secret: string): string {
  return `Internal ${secret}`
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
