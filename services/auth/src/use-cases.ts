import {
  type Assignment,
  announceRevocation,
  type Credentials,
  endsSessions,
  invalidCredentials,
  invalidRefreshToken,
  losesRole,
  normalizeEmail,
  type OwnSession,
  openSession,
  type RevocationReason,
  refuseThrottled,
  sessionNotFound,
  sessionRevoked,
} from './domain.ts'
import type { Announce, Candidate, Deps } from './ports.ts'

export type Tokens = { accessToken: string; refreshToken: string; expiresInSeconds: number }

/**
 * Opens a session. Nothing in the answer or its time tells whether the e-mail is known. Work whose
 * caller went away is left: its signal is aborted.
 */
export async function signIn(
  deps: Deps,
  command: { email: string; password: string; device?: string },
  signal?: AbortSignal,
): Promise<Tokens> {
  const { credentials, sessions, passwords, clock, newId, newSecret, hash } = deps
  // Before the database is asked, which everybody who refreshes a token needs too.
  passwords.admit()
  const email = normalizeEmail(command.email)
  const emailHash = hash(email)
  const { candidates, failures } = await credentials.findForSignIn(email, emailHash)
  refuseThrottled(failures, clock())
  const candidate = await verifyPassword(deps, candidates, { ...command, signal })
  if (!candidate) {
    await credentials.recordFailure(emailHash, clock())
    throw invalidCredentials()
  }
  signal?.throwIfAborted()
  const refreshToken = newSecret()
  const session = openSession(candidate.subjectId, {
    id: newId(),
    refreshHash: hash(refreshToken),
    device: command.device?.trim() ?? null,
    at: clock(),
  })
  const { passwordHash } = candidate
  const roles = await sessions.open(session, { passwordHash, emailHash })
  if (!roles) throw invalidCredentials()
  return toTokens(deps, { ...session, roles, refreshToken })
}

/** Exchanges a refresh token. A token that was used before ends its session: it was copied. */
export async function refreshSession(deps: Deps, refreshToken: string): Promise<Tokens> {
  const { sessions, clock, newSecret, hash } = deps
  const refreshHash = hash(refreshToken)
  const next = newSecret()
  const session = await sessions.rotate(refreshHash, { refreshHash: hash(next), at: clock() })
  if (session) return toTokens(deps, { ...session, refreshToken: next })
  if (await sessions.revokeReused(refreshHash, announce(deps, 'token-reused'))) {
    throw sessionRevoked()
  }
  throw invalidRefreshToken()
}

type SessionOf = { id: string; subjectId: string }

// More devices than anybody has; those used last are the ones that matter.
const maxListed = 100

/** The sessions of the caller, the last used first. */
export async function listSessions(
  { sessions, clock }: Deps,
  subjectId: string,
): Promise<OwnSession[]> {
  return sessions.list(subjectId, { at: clock(), limit: maxListed })
}

/** Ends one of the caller's sessions. @throws not-found `SESSION_NOT_FOUND`. */
export async function endSession(deps: Deps, session: SessionOf): Promise<void> {
  const isEnded = await deps.sessions.revokeOne(session, announce(deps, 'signed-out'))
  if (!isEnded) throw sessionNotFound()
}

/** Ends the caller's session; doing it twice is no error. */
export async function signOut(deps: Deps, session: SessionOf): Promise<void> {
  await deps.sessions.revokeOne(session, announce(deps, 'signed-out'))
}

/** Ends every session of the caller. A session that was ended itself may not do that. */
export async function signOutEverywhere(deps: Deps, session: SessionOf): Promise<void> {
  const isDone = await deps.sessions.revokeAll(session, announce(deps, 'signed-out'))
  if (!isDone) throw sessionRevoked()
}

export type ApplyCredentials = {
  messageId: string
  credentials: Credentials
  revokeSessions: boolean
}

/** Takes a newer e-mail and password hash, or the removal of both, into the replica. */
export async function applyCredentials(deps: Deps, command: ApplyCredentials): Promise<void> {
  const { messageId, revokeSessions } = command
  const { secret } = command.credentials
  const credentials = secret
    ? { ...command.credentials, secret: { ...secret, email: normalizeEmail(secret.email) } }
    : command.credentials
  await deps.credentials.apply(messageId, credentials, {
    endsSessions: (previousHash) => endsSessions(previousHash, credentials, revokeSessions),
    announce: announce(deps, secret ? 'password-changed' : 'erased'),
    at: deps.clock(),
  })
}

/** Takes a newer assignment of roles into the replica. */
export async function applyAssignment(
  deps: Deps,
  { messageId, assignment }: { messageId: string; assignment: Assignment },
): Promise<void> {
  await deps.credentials.applyAssignment(messageId, assignment, {
    endsSessions: (previousRoles) => losesRole(previousRoles, assignment.roles),
    announce: announce(deps, 'roles-changed'),
  })
}

async function verifyPassword(
  { passwords, dummyHash }: Deps,
  candidates: readonly Candidate[],
  { password, signal }: { password: string; signal: AbortSignal | undefined },
): Promise<Candidate | undefined> {
  if (candidates.length === 0) await passwords.verify(dummyHash, password, { signal })
  for (const candidate of candidates) {
    if (await passwords.verify(candidate.passwordHash, password, { signal })) return candidate
  }
  return undefined
}

function announce({ clock, newId }: Deps, reason: RevocationReason): Announce {
  const at = clock()
  return (revocation) => announceRevocation(revocation, { reason, at, newId })
}

function toTokens(
  { tokens }: Deps,
  session: { id: string; subjectId: string; roles: readonly string[]; refreshToken: string },
): Tokens {
  const { id, subjectId, roles, refreshToken } = session
  return {
    accessToken: tokens.issue({ subjectId, sessionId: id, roles }),
    refreshToken,
    expiresInSeconds: tokens.expiresInSeconds,
  }
}
