import { createHmac } from 'node:crypto'
import { secretsIn } from '@halles/kit/rotating-secrets'
import { orderAudience } from '@halles/kit/tokens'
import type { OrderTokens } from './ports.ts'

// Long enough to follow a delivery; a return after that goes through an account or the staff.
const lifetimeSeconds = 30 * 86_400

/**
 * Guests' order tokens: JWTs (RFC 7519) by HS256 with a secret that orders alone knows. The dates
 * are the order's own, so that repeating a checkout answers the same token, as long as the secret is
 * not replaced.
 */
export function createOrderTokens(secret: string): OrderTokens {
  const header = encode({ alg: 'HS256', typ: 'JWT' })
  const [key] = secretsIn(secret)
  return {
    issue({ id, placedAt }) {
      const iat = Math.floor(placedAt.getTime() / 1_000)
      const claims = {
        iss: 'halles',
        aud: orderAudience,
        ord: id,
        iat,
        exp: iat + lifetimeSeconds,
      }
      const signed = `${header}.${encode(claims)}`
      return `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`
    },
  }
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url')
}
