import type { SecretCredentials } from '@halles/contracts/gen/messages/customers'
import type { OutgoingMessage } from '@halles/contracts/message'
import type { PasswordHasher } from '@halles/kit/passwords'
import type { Opener } from '@halles/kit/sealing'
import type {
  Assignment,
  Credentials,
  Failures,
  OwnSession,
  Revocation,
  Session,
} from './domain.ts'

/** Builds the events of ended sessions, saved in the transaction that ended them. */
export type Announce = (revocation: Revocation) => OutgoingMessage[]

export type Candidate = { subjectId: string; passwordHash: string }

export type CredentialStore = {
  /**
   * Applies a newer state once, with the sessions that it ends; older states and repeated messages
   * change nothing.
   */
  apply(
    messageId: string,
    credentials: Credentials,
    effect: {
      endsSessions: (previousHash: string | null) => boolean
      announce: Announce
      at: Date
    },
  ): Promise<void>
  applyAssignment(
    messageId: string,
    assignment: Assignment,
    effect: { endsSessions: (previousRoles: readonly string[]) => boolean; announce: Announce },
  ): Promise<void>
  /** Who may sign in with this e-mail, and how often that failed of late. */
  findForSignIn(
    email: string,
    emailHash: Buffer,
  ): Promise<{ candidates: readonly Candidate[]; failures: Failures | undefined }>
  recordFailure(emailHash: Buffer, at: Date): Promise<void>
}

export type SessionStore = {
  /**
   * Opens the session and forgets the failures of the e-mail. Returns the subject's roles, or
   * undefined when the hash that was verified is no longer the subject's, or failures of other
   * attempts have reached the limit meanwhile.
   */
  open(
    session: Session,
    proof: { passwordHash: string; emailHash: Buffer },
  ): Promise<readonly string[] | undefined>
  /**
   * Exchanges the good refresh token for the next one, in one step: of two that try, one wins.
   * Undefined when the token is not good.
   */
  rotate(
    refreshHash: Buffer,
    next: { refreshHash: Buffer; at: Date },
  ): Promise<{ id: string; subjectId: string; roles: readonly string[] } | undefined>
  /** Ends the session whose token was used before; false when there is none. */
  revokeReused(refreshHash: Buffer, announce: Announce): Promise<boolean>
  /** False when the subject has no such session. */
  revokeOne(session: { id: string; subjectId: string }, announce: Announce): Promise<boolean>
  /** The last used first, at most `limit`; those that ended are not there. */
  list(subjectId: string, options: { at: Date; limit: number }): Promise<OwnSession[]>
  /** Ends every session of the subject, if the one that asks is still good. */
  revokeAll(session: { id: string; subjectId: string }, announce: Announce): Promise<boolean>
  /** Deletes a bounded number of expired rows; true when there may be more. */
  prune(at: Date): Promise<boolean>
}

/** A signing key as it is stored: the private part is encrypted. */
export type StoredKey = {
  kid: string
  publicKey: { kty: string; crv: string; x: string }
  privateKey: Buffer
  createdAt: Date
}

export type SigningKeyStore = {
  /** The keys whose tokens may still be good, newest first. */
  list(at: Date): Promise<StoredKey[]>
  /**
   * Adds a key unless there is one younger than `olderThan`, and says until when the others are
   * published. Replicas that try at once add one.
   */
  renew(key: StoredKey, limits: { olderThan: Date; retireOthersAt: Date }): Promise<void>
  /** Keeps the key's private part as it is encrypted now. */
  reseal(key: Pick<StoredKey, 'kid' | 'privateKey'>): Promise<void>
}

export type TokenIssuer = {
  readonly expiresInSeconds: number
  issue(claims: { subjectId: string; sessionId: string; roles: readonly string[] }): string
}

export type Deps = {
  credentials: CredentialStore
  sessions: SessionStore
  passwords: Pick<PasswordHasher, 'admit' | 'verify'>
  /** Reads what customers encrypted for us. */
  opener: Opener<SecretCredentials>
  /** A hash of a password that nobody knows, to work on when nobody has the e-mail. */
  dummyHash: string
  tokens: TokenIssuer
  clock: () => Date
  newId: () => string
  newSecret: () => string
  hash: (text: string) => Buffer
}
