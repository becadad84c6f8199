import { createHash, timingSafeEqual } from 'node:crypto'
import { AppError } from './errors.ts'
import { secretsIn } from './rotating-secrets.ts'

/**
 * A check of `Authorization: Internal <secret>` between services, in constant time. While one secret
 * replaces another ({@link secretsIn}), each is good.
 */
export function createInternalCheck(secret: string): (header: string | undefined) => void {
  const expected = secretsIn(secret).map((each) => digest(`Internal ${each}`))
  return (header) => {
    const given = digest(header ?? '')
    // Each is compared, so that the time does not tell which one it was.
    const fitting = expected.filter((each) => timingSafeEqual(given, each))
    if (fitting.length === 0) {
      throw new AppError('unauthenticated', 'INTERNAL_SECRET_REQUIRED', 'For services only.')
    }
  }
}

/** The header value that {@link createInternalCheck} accepts. */
export function internalAuthorization(secret: string): string {
  return `Internal ${secretsIn(secret)[0]}`
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
