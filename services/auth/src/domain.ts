import { type SessionsRevokedData, sessionsRevoked } from '@halles/contracts/gen/messages/auth'
import { createMessage, type OutgoingMessage } from '@halles/contracts/message'
import { AppError } from '@halles/kit/errors'

/** What customers has told us of a subject; null after its removal. */
export type Credentials = {
  subjectId: string
  version: number
  secret: { email: string; passwordHash: string } | null
}

export type Assignment = { subjectId: string; roles: readonly string[]; version: number }

export type Session = {
  id: string
  subjectId: string
  refreshHash: Buffer
  refreshExpiresAt: Date
  createdAt: Date
  expiresAt: Date
  device: string | null
}

/** A session as its owner sees it. */
export type OwnSession = {
  id: string
  device: string | null
  createdAt: Date
  lastUsedAt: Date
  /** When it ends by itself, unless it is used. */
  expiresAt: Date
}

export type RevocationReason = SessionsRevokedData['reason']

/** The sessions of a subject that were just ended. */
export type Revocation = { subjectId: string; sessionIds: readonly string[] }

/** Failed sign-ins with one e-mail, counted until `endsAt`. */
export type Failures = { failures: number; endsAt: Date }

export const sessionLimits = {
  /** A device that is not used for so long signs in again. */
  refreshMs: 30 * 86_400_000,
  /** However often it is refreshed, a session ends after this. */
  absoluteMs: 90 * 86_400_000,
} as const

export const throttleLimits = { failures: 10, windowMs: 15 * 60_000 } as const

// Keeps an event small however many devices a subject has.
const maxSessionsPerEvent = 500

/** The form in which e-mails are kept and compared. */
export function normalizeEmail(email: string): string {
  return email.trim().toLowerCase()
}

/** A new session of a subject. */
export function openSession(
  subjectId: string,
  { id, refreshHash, device, at }: Pick<Session, 'id' | 'refreshHash' | 'device'> & { at: Date },
): Session {
  return {
    id,
    subjectId,
    refreshHash,
    refreshExpiresAt: new Date(at.getTime() + sessionLimits.refreshMs),
    createdAt: at,
    expiresAt: new Date(at.getTime() + sessionLimits.absoluteMs),
    device,
  }
}

/** Throws TOO_MANY_ATTEMPTS while the e-mail has failed too often. */
export function refuseThrottled(known: Failures | undefined, at: Date): void {
  if (!known || known.failures < throttleLimits.failures || known.endsAt <= at) return
  throw new AppError(
    'too-many',
    'TOO_MANY_ATTEMPTS',
    'Signing in failed too often; try again later.',
    { retryAfterSeconds: Math.ceil((known.endsAt.getTime() - at.getTime()) / 1_000) },
  )
}

/**
 * Whether a newer state ends the subject's sessions. A changed hash counts even when the command
 * does not ask for it: the command that changed it may be still on its way, and will be too old.
 */
export function endsSessions(
  previousHash: string | null,
  next: Credentials,
  isRevocationAsked: boolean,
): boolean {
  return isRevocationAsked || (previousHash !== null && previousHash !== next.secret?.passwordHash)
}

/** Whether a new assignment takes a role away. */
export function losesRole(before: readonly string[], after: readonly string[]): boolean {
  return before.some((role) => !after.includes(role))
}

/** The events that tell of ended sessions; none when there were none. */
export function announceRevocation(
  { subjectId, sessionIds }: Revocation,
  { reason, at, newId }: { reason: RevocationReason; at: Date; newId: () => string },
): OutgoingMessage[] {
  const messages: OutgoingMessage[] = []
  for (let start = 0; start < sessionIds.length; start += maxSessionsPerEvent) {
    const some = sessionIds.slice(start, start + maxSessionsPerEvent)
    const data = { subjectId, sessionIds: some, reason }
    messages.push(createMessage(sessionsRevoked, data, { id: newId(), at }))
  }
  return messages
}

/** The same for an unknown e-mail and a wrong password. */
export function invalidCredentials(): AppError {
  return new AppError(
    'unauthenticated',
    'INVALID_CREDENTIALS',
    'This e-mail and password do not belong together.',
  )
}

export function invalidRefreshToken(): AppError {
  return new AppError(
    'unauthenticated',
    'INVALID_REFRESH_TOKEN',
    'This refresh token is not good or no longer; sign in again.',
  )
}

export function sessionNotFound(): AppError {
  return new AppError('not-found', 'SESSION_NOT_FOUND', 'You have no such session.')
}

export function sessionRevoked(): AppError {
  return new AppError('unauthenticated', 'SESSION_REVOKED', 'This session was ended.')
}
