import { accessAudience } from '@halles/kit/tokens'
import { createSigner } from 'fast-jwt'
import type { KeyRing, SigningKey } from './key-ring.ts'
import type { TokenIssuer } from './ports.ts'

// What every verifier of the platform expects.
const issuer = 'halles'

type Claims = { sub: string; sid: string; roles: string[] }

/** Issues access tokens (RFC 9068 in spirit): EdDSA, short-lived, with session and roles. */
export function createTokenIssuer(ring: KeyRing, expiresInSeconds: number): TokenIssuer {
  const signers = new WeakMap<SigningKey, (claims: Claims) => string>()

  function signerOf(key: SigningKey): (claims: Claims) => string {
    const known = signers.get(key)
    if (known) return known
    const sign = createSigner({
      algorithm: 'EdDSA',
      key: key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      kid: key.kid,
      iss: issuer,
      aud: accessAudience,
      expiresIn: expiresInSeconds * 1_000,
    })
    signers.set(key, sign)
    return sign
  }

  return {
    expiresInSeconds,
    issue: ({ subjectId, sessionId, roles }) =>
      signerOf(ring.signing())({ sub: subjectId, sid: sessionId, roles: [...roles] }),
  }
}
