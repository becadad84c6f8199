import { createPublicKey, type JsonWebKey } from 'node:crypto'
import { createVerifier } from 'fast-jwt'
import { AppError } from './errors.ts'
import type { Logger } from './logging.ts'
import { secretsIn } from './rotating-secrets.ts'

/** Who calls. For a guest's order token the subject is the order itself, which owns nothing else. */
export type Caller = {
  readonly subjectId: string
  readonly sessionId: string
  readonly roles: readonly string[]
  readonly orderId?: string
}

/** What a revocation rule needs to know of a token. */
export type TokenFacts = { subjectId: string; sessionId: string; issuedAtSeconds: number }

export type TokenVerifier = {
  /**
   * Verifies the value of an `Authorization: Bearer` header.
   * @throws unauthenticated `AUTHENTICATION_REQUIRED`, `TOKEN_INVALID`, `TOKEN_EXPIRED`,
   *   `SESSION_REVOKED`; unavailable `KEYS_UNAVAILABLE` while no key was ever fetched.
   */
  verify(authorizationHeader: string | undefined): Promise<Caller>
  /**
   * The caller of a header that `verify` accepted before, at once; undefined when that is to be
   * asked. Expiry, revocation and the key are checked each time.
   * @throws unauthenticated `SESSION_REVOKED`.
   */
  recall(authorizationHeader: string): Caller | undefined
  /** Fetches the keys and goes on refreshing them; does not fail when nobody answers. */
  start(): Promise<void>
  stop(): Promise<void>
}

/** A key set (RFC 7517); other keys than Ed25519 are passed over. */
export type KeySet = { keys?: readonly (JsonWebKey & { kid?: string })[] }

export type TokenVerifierOptions = {
  /**
   * Asks any issuer for the key set; they share their keys, so one answers for all. Without it no
   * access token is accepted.
   */
  fetchKeySet?: (() => Promise<KeySet>) | undefined
  logger: Logger
  issuer?: string
  /** Lets guests' order tokens in (`secretsIn`); only the service that signs them knows it. */
  orderTokenSecret?: string
  /** Tells whether the session was ended before the token expires. */
  isRevoked?: (facts: TokenFacts) => boolean
  /** Shorter than a new key is published before it signs, so that no request waits for it. */
  refreshMs?: number
  /** Least milliseconds between two fetches that unknown key ids cause. */
  minRefreshMs?: number
  /** How long a key is kept that answers lack: an issuer without its database may be behind. */
  keepMs?: number
  /** Monotonic milliseconds. */
  clock?: () => number
}

/** The `aud` claim of access tokens. */
export const accessAudience = 'halles'
/** The `aud` claim of the tokens with which a guest follows one order. */
export const orderAudience = 'halles-order'

type Claims = {
  sub?: string
  sid?: string
  roles?: readonly string[]
  iat: number
  exp: number
  ord?: string
}
type Verify = (token: string) => Claims
type Verified = { kid: string; verify: Verify; claims: Claims }
type KnownKey = { verify: Verify; seenAtMs: number }
type Accepted = {
  readonly kid: string
  readonly verify: Verify
  readonly caller: Caller
  readonly facts: TokenFacts
  readonly expiresAtMs: number
}

// Accepted headers remembered; about 1 KB each. To verify one anew costs 200 µs.
const rememberedHeaders = 10_000
// Until a first key is known everybody is turned away, so it is asked for more often.
const firstRetryMs = 200
// Nobody may ask before auth is away: a service that starts beside it must have heard the keys.
const firstRefreshMs = 1_000
// A token of ours is under 1 KB.
const maxTokenLength = 4_096

/** Verifies EdDSA access tokens against keys that are fetched, cached and kept when auth is down. */
export function createTokenVerifier(options: TokenVerifierOptions): TokenVerifier {
  const { fetchKeySet, logger, issuer = 'halles', isRevoked } = options
  const { refreshMs = 45_000, minRefreshMs = 3_000, keepMs = 300_000 } = options
  const { clock = () => performance.now() } = options
  const verifyOrder = options.orderTokenSecret && orderVerifier(options.orderTokenSecret, issuer)
  const accepted = new Map<string, Accepted>()
  let keys: ReadonlyMap<string, KnownKey> = new Map()
  let refreshing: Promise<void> | undefined
  let refreshedAtMs = Number.NEGATIVE_INFINITY
  let timer: NodeJS.Timeout | undefined
  let isStopped = false

  async function fetchKeys(): Promise<void> {
    if (!fetchKeySet) return
    try {
      const { keys: published = [] } = await fetchKeySet()
      const seenAtMs = clock()
      const next = new Map([...keys].filter(([, known]) => seenAtMs - known.seenAtMs < keepMs))
      for (const jwk of published) {
        if (jwk.kty !== 'OKP' || jwk.crv !== 'Ed25519' || !jwk.kid) continue
        // A key that stays keeps its verifier, and with it the headers accepted by it.
        const verify = keys.get(jwk.kid)?.verify ?? verifierOf(jwk, issuer)
        next.set(jwk.kid, { verify, seenAtMs })
      }
      keys = next
    } catch (error) {
      // The keys known so far stay in use: signed-in people go on while auth is down.
      logger.warn({ error }, 'The token keys could not be refreshed.')
    }
  }

  function refresh(): Promise<void> {
    refreshing ??= fetchKeys().finally(() => {
      refreshing = undefined
      refreshedAtMs = clock()
    })
    return refreshing
  }

  async function refreshAndPlan(): Promise<void> {
    await refresh()
    if (isStopped) return
    timer = setTimeout(refreshAndPlan, keys.size === 0 ? firstRefreshMs : refreshMs)
    timer.unref()
  }

  async function findKey(kid: string): Promise<Verify> {
    const leastMs = keys.size === 0 ? Math.min(firstRetryMs, minRefreshMs) : minRefreshMs
    if (refreshing || clock() - refreshedAtMs >= leastMs) await refresh()
    if (keys.size === 0) {
      throw new AppError(
        'unavailable',
        'KEYS_UNAVAILABLE',
        'Sign-in cannot be checked right now.',
        {
          retryAfterSeconds: 2,
        },
      )
    }
    const found = keys.get(kid)
    if (!found) throw tokenInvalid()
    return found.verify
  }

  function recall(header: string): Caller | undefined {
    const known = accepted.get(header)
    if (!known) return undefined
    const { kid, verify, caller, facts, expiresAtMs } = known
    if (Date.now() > expiresAtMs || keys.get(kid)?.verify !== verify) {
      accepted.delete(header)
      return undefined
    }
    checkRevocation(facts)
    return caller
  }

  function accept(header: string, { kid, verify, claims }: Verified): Caller {
    const { caller, facts } = toCaller(claims)
    checkRevocation(facts)
    const [oldest] = accepted.size < rememberedHeaders ? [] : accepted.keys()
    if (oldest !== undefined) accepted.delete(oldest)
    accepted.set(header, { kid, verify, caller, facts, expiresAtMs: claims.exp * 1_000 })
    return caller
  }

  function checkRevocation(facts: TokenFacts): void {
    if (!isRevoked?.(facts)) return
    throw new AppError('unauthenticated', 'SESSION_REVOKED', 'This session was ended.')
  }

  return {
    recall,
    async verify(header) {
      if (header === undefined) throw authenticationRequired()
      const known = recall(header)
      if (known) return known
      const token = bearerToken(header)
      const { alg, kid } = readHead(token)
      if (alg === 'HS256' && verifyOrder) return toOrderHolder(verifyClaims(verifyOrder, token))
      if (typeof kid !== 'string') throw tokenInvalid()
      const verify = keys.get(kid)?.verify ?? (await findKey(kid))
      return accept(header, { kid, verify, claims: verifyClaims(verify, token) })
    },
    async start() {
      if (fetchKeySet) await refreshAndPlan()
    },
    async stop() {
      isStopped = true
      clearTimeout(timer)
      await refreshing
    },
  }
}

/** The caller, for handlers of `optional` routes that need one after all. */
export function requireCaller(caller: Caller | undefined): Caller {
  if (!caller) throw authenticationRequired()
  return caller
}

function verifierOf(jwk: JsonWebKey, issuer: string): Verify {
  const key = createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' })
  return createVerifier({
    key: key.toString(),
    algorithms: ['EdDSA'],
    allowedIss: issuer,
    allowedAud: accessAudience,
    requiredClaims: ['iss', 'aud', 'iat', 'exp'],
  }) as Verify
}

function bearerToken(header: string): string {
  const match = /^Bearer ([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(header)
  if (!match?.[1] || match[1].length > maxTokenLength) throw tokenInvalid()
  return match[1]
}

function readHead(token: string): { alg?: unknown; kid?: unknown } {
  try {
    const text = Buffer.from(token.slice(0, token.indexOf('.')), 'base64url').toString()
    return Object(JSON.parse(text))
  } catch (cause) {
    throw tokenInvalid(cause)
  }
}

function verifyClaims(verify: Verify, token: string): Claims {
  try {
    return verify(token)
  } catch (cause) {
    if (!hasCode(cause, 'FAST_JWT_EXPIRED')) throw tokenInvalid(cause)
    throw new AppError('unauthenticated', 'TOKEN_EXPIRED', 'The access token has expired.')
  }
}

function toCaller({ sub, sid, roles = [], iat }: Claims): Pick<Accepted, 'caller' | 'facts'> {
  if (typeof sub !== 'string' || typeof sid !== 'string' || !Array.isArray(roles)) {
    throw tokenInvalid()
  }
  return {
    caller: { subjectId: sub, sessionId: sid, roles },
    facts: { subjectId: sub, sessionId: sid, issuedAtSeconds: iat },
  }
}

function toOrderHolder({ ord }: Claims): Caller {
  if (typeof ord !== 'string') throw tokenInvalid()
  return { subjectId: ord, sessionId: '', roles: [], orderId: ord }
}

function orderVerifier(secret: string, issuer: string): Verify {
  const verifiers = secretsIn(secret).map(
    (key) =>
      createVerifier({
        key,
        algorithms: ['HS256'],
        allowedIss: issuer,
        allowedAud: orderAudience,
        requiredClaims: ['iss', 'aud', 'ord', 'exp'],
      }) as Verify,
  )
  return (token) => {
    let fault: unknown
    for (const verify of verifiers) {
      try {
        return verify(token)
      } catch (error) {
        // Another one of them may have signed it; whatever else is wrong stays wrong.
        if (!hasCode(error, 'FAST_JWT_INVALID_SIGNATURE')) throw error
        fault = error
      }
    }
    throw fault
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

function authenticationRequired(): AppError {
  return new AppError('unauthenticated', 'AUTHENTICATION_REQUIRED', 'Sign in first.')
}

function tokenInvalid(cause?: unknown): AppError {
  return new AppError('unauthenticated', 'TOKEN_INVALID', 'The access token is not valid.', {
    cause,
  })
}
