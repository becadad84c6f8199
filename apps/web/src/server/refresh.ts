import { setTimeout as pause } from 'node:timers/promises'
import { type Api, ApiProblem, type Principal } from './api.ts'
import type { Session, SessionStore } from './session-store.ts'

export type Refresher = {
  /**
   * The session with a newer access token than the one given, made by this process or another;
   * undefined when auth has ended the session. @throws ApiProblem when auth does not answer.
   */
  refresh(session: Session, principal: Principal): Promise<Session | undefined>
}

// Auth answers in milliseconds; a person waits for it.
const callMs = 5_000
// Longer than the call, so that a claim never passes on while its holder still waits for auth.
const claimMs = 8_000
// Two tabs at once wait for each other about this long; finer would only ask the database more.
const lookAgainMs = 40

/**
 * Exchanges refresh tokens once, however many tabs and replicas ask: auth ends a session whose
 * token is used twice. A claim in the session's row, not a lock, so that no transaction is open
 * during the call.
 */
export function createRefresher(deps: {
  sessions: SessionStore
  api: Pick<Api, 'call'>
  now: () => number
}): Refresher {
  const { sessions, api, now } = deps
  const underWay = new Map<string, Promise<Session | undefined>>()

  async function exchange(session: Session, principal: Principal): Promise<Session | undefined> {
    const { idHash, secrets } = session
    const { refreshToken } = secrets
    if (refreshToken === undefined) return undefined
    let isUsed = false
    try {
      const { data } = await api.call(
        'refreshSession',
        { body: { refreshToken } },
        { clientAddress: principal.clientAddress, deadlineMs: callMs },
      )
      isUsed = true
      const accessExpiresAt = new Date(now() + data.expiresInSeconds * 1_000)
      const tokens = { accessToken: data.accessToken, refreshToken: data.refreshToken }
      const isKept = await sessions.update(idHash, (current) => ({
        secrets: { ...current.secrets, ...tokens },
        accessExpiresAt,
      }))
      await sessions.releaseRefresh(idHash)
      return isKept
        ? { ...session, secrets: { ...secrets, ...tokens }, accessExpiresAt }
        : undefined
    } catch (error) {
      if (error instanceof ApiProblem && error.problem.status === 401) {
        await sessions.remove(idHash)
        return undefined
      }
      // A token that was used must not be used again: then the claim stays until it runs out.
      if (!isUsed) await sessions.releaseRefresh(idHash)
      throw error
    }
  }

  async function refreshOnce(session: Session, principal: Principal): Promise<Session | undefined> {
    const endsAt = now() + claimMs
    for (;;) {
      const isMine = await sessions.claimRefresh(session.idHash, claimMs)
      const current = await sessions.find(session.idHash)
      const isNewer = current?.secrets.accessToken !== session.secrets.accessToken
      if (!current || isNewer) {
        if (isMine) await sessions.releaseRefresh(session.idHash)
        return current
      }
      if (isMine) return exchange(current, principal)
      if (now() > endsAt) throw authIsAway()
      await pause(lookAgainMs)
    }
  }

  return {
    refresh(session, principal) {
      const key = session.idHash.toString('base64')
      const running = underWay.get(key)
      if (running) return running
      const started = refreshOnce(session, principal).finally(() => underWay.delete(key))
      underWay.set(key, started)
      return started
    },
  }
}

function authIsAway(): ApiProblem {
  const detail = 'The session cannot be renewed right now.'
  const code = 'UPSTREAM_UNAVAILABLE'
  return new ApiProblem('auth', { type: 'about:blank', title: '', status: 503, code, detail }, 1)
}
