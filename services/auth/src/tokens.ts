import { createPublicKey } from 'node:crypto'
import { AppError } from '@halles/kit/errors'
import type { TokenVerifier } from '@halles/kit/tokens'
import { createSigner, createVerifier } from 'fast-jwt'
import type { KeyRing, SigningKey } from './key-ring.ts'
import type { TokenIssuer } from './ports.ts'

// What every verifier of the platform expects.
const issuer = 'halles'
const audience = 'halles'

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
      aud: audience,
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

/** Verifies our own access tokens with the keys at hand, where others ask for the key set. */
export function createOwnVerifier(ring: KeyRing): TokenVerifier {
  const verifiers = new WeakMap<SigningKey, (token: string) => Claims>()

  function verifierOf(key: SigningKey): (token: string) => Claims {
    const known = verifiers.get(key)
    if (known) return known
    const publicKey = createPublicKey({ key: key.jwk, format: 'jwk' })
    const verify = createVerifier({
      key: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
      algorithms: ['EdDSA'],
      allowedIss: issuer,
      allowedAud: audience,
      requiredClaims: ['sub', 'sid', 'roles', 'iss', 'aud', 'iat', 'exp'],
    }) as (token: string) => Claims
    verifiers.set(key, verify)
    return verify
  }

  return {
    async verify(header) {
      if (header === undefined) {
        throw new AppError('unauthenticated', 'AUTHENTICATION_REQUIRED', 'Sign in first.')
      }
      // A token of ours is under 1 KB.
      const token = /^Bearer ([\w-]{1,200}\.[\w-]{1,3500}\.[\w-]{1,200})$/i.exec(header)?.[1]
      const key = token && ring.keys().find(({ kid }) => kid === readKeyId(token))
      if (!key) throw tokenInvalid()
      const { sub, sid, roles } = verifyClaims(verifierOf(key), token)
      return { subjectId: sub, sessionId: sid, roles }
    },
    start: async () => undefined,
    stop: async () => undefined,
  }
}

function readKeyId(token: string): unknown {
  try {
    const head: unknown = JSON.parse(
      Buffer.from(token.slice(0, token.indexOf('.')), 'base64url').toString(),
    )
    return typeof head === 'object' && head !== null && 'kid' in head ? head.kid : undefined
  } catch (cause) {
    throw tokenInvalid(cause)
  }
}

function verifyClaims(verify: (token: string) => Claims, token: string): Claims {
  try {
    return verify(token)
  } catch (cause) {
    const isExpired = cause instanceof Error && 'code' in cause && cause.code === 'FAST_JWT_EXPIRED'
    if (!isExpired) throw tokenInvalid(cause)
    throw new AppError('unauthenticated', 'TOKEN_EXPIRED', 'The access token has expired.')
  }
}

function tokenInvalid(cause?: unknown): AppError {
  return new AppError('unauthenticated', 'TOKEN_INVALID', 'The access token is not valid.', {
    cause,
  })
}
