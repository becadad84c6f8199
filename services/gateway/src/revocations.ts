import { LRUCache } from 'lru-cache'

/** Sessions that were ended while access tokens of theirs may still be unexpired. */
export type Revocations = {
  add(sessionIds: readonly string[]): void
  has(sessionId: string): boolean
  /** How long a session is remembered, in milliseconds: longer than any access token lives. */
  readonly keepMs: number
}

// Some 100 bytes each. Past it the oldest are forgotten, whose tokens are the first to expire.
const maxSessions = 200_000

export function createRevocations(keepMs = 20 * 60_000): Revocations {
  const revoked = new LRUCache<string, true>({ max: maxSessions, ttl: keepMs })
  return {
    add(sessionIds) {
      for (const sessionId of sessionIds) revoked.set(sessionId, true)
    },
    has: (sessionId) => revoked.has(sessionId),
    keepMs,
  }
}
