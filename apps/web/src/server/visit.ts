import { AppError } from '@halles/kit/errors'
import type { Logger } from '@halles/kit/logging'
import {
  type Api,
  type ApiAnswer,
  type ApiInput,
  ApiProblem,
  type OperationName,
  type Principal,
} from './api.ts'
import type { Permissions } from './permissions.ts'
import type { Refresher } from './refresh.ts'
import {
  endedSessionCookie,
  hashSessionId,
  newSessionId,
  readSessionId,
  sessionCookie,
} from './session-cookie.ts'
import {
  type Session,
  type SessionChange,
  type SessionStore,
  sessionDays,
} from './session-store.ts'

/** The session of who asks was ended: signed out elsewhere, password changed, or too old. */
export class SessionEnded extends Error {
  override readonly name = 'SessionEnded'
}

/** One request of a browser: who it is, and what can be done on its behalf. */
export type Visit = {
  /** Undefined for guests without a cart. */
  readonly session: Session | undefined
  /** The sessions cannot be read right now: the visitor is shown as a guest. */
  readonly isSessionAway: boolean
  readonly isSignedIn: boolean
  /** The shop's address as browsers see it. */
  readonly publicUrl: string
  readonly log: Logger
  /**
   * Calls the API with the visitor's own token, renewed when it is old.
   * @throws ApiProblem, SessionEnded.
   */
  call<Name extends OperationName>(operation: Name, input: ApiInput<Name>): Promise<ApiAnswer<Name>>
  /** The access token, renewed when it is old; undefined for guests. */
  token(): Promise<string | undefined>
  /** What the visitor's roles allow; empty for guests. */
  permissions(): Promise<ReadonlySet<string>>
  /** Changes the session; a guest who has none gets one. */
  keep(change: SessionChange | ((session: Session) => SessionChange)): Promise<void>
  /** A new session in place of the one there was. @throws ApiProblem `INVALID_CREDENTIALS`, … */
  signIn(credentials: { email: string; password: string }): Promise<void>
  signOut(): Promise<void>
  /** `Set-Cookie` headers for the answer. */
  readonly cookies: readonly string[]
}

export type VisitDeps = {
  sessions: SessionStore
  api: Api
  refresher: Refresher
  permissions: Permissions
  publicUrl: string
  logger: Logger
  now: () => number
}

// A token that lives shorter than a slow page is renewed before the page is made.
const leastLifeMs = 20_000

const guest: Omit<Session, 'idHash'> = {
  secrets: {},
  customerId: null,
  accessExpiresAt: null,
  cartId: null,
  cartCount: 0,
}

/** Opens the visit that a request's cookies belong to. */
export async function openVisit(
  deps: VisitDeps,
  request: { cookie: string | undefined; clientAddress: string; signal?: AbortSignal },
): Promise<Visit> {
  const { sessions, api, logger, now, publicUrl } = deps
  const { clientAddress, signal } = request
  const isSecure = publicUrl.startsWith('https:')
  const id = readSessionId(request.cookie)
  const cookies: string[] = []
  let session: Session | undefined
  let isSessionAway = false
  if (id !== undefined) {
    try {
      session = await sessions.find(hashSessionId(id))
      if (!session) cookies.push(endedSessionCookie({ isSecure }))
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      isSessionAway = true
      logger.warn({ error }, 'A session could not be read; the visitor is shown as a guest.')
    }
  }

  const principal = (token?: string): Principal => ({ token, clientAddress, signal })

  async function renew(old: Session): Promise<string> {
    session = await deps.refresher.refresh(old, principal())
    if (session?.secrets.accessToken !== undefined) return session.secrets.accessToken
    cookies.push(endedSessionCookie({ isSecure }))
    throw new SessionEnded('The session was ended.')
  }

  async function token(): Promise<string | undefined> {
    if (session?.secrets.accessToken === undefined) return undefined
    const endsAt = session.accessExpiresAt?.getTime() ?? 0
    return endsAt - now() > leastLifeMs ? session.secrets.accessToken : renew(session)
  }

  async function call<Name extends OperationName>(operation: Name, input: ApiInput<Name>) {
    const { access } = api.routeOf(operation)
    if (access.kind === 'public') return api.call(operation, input, principal())
    if (access.kind === 'order-holder') {
      const { orderId } = input.params as { orderId: string }
      const held = session?.secrets.orderTokens?.[orderId]
      if (held !== undefined) return api.call(operation, input, principal(held))
    }
    const used = await token()
    try {
      return await api.call(operation, input, principal(used))
    } catch (error) {
      const isRefused = error instanceof ApiProblem && error.problem.status === 401
      if (!isRefused || used === undefined || !session) throw error
      // Nothing was done: what is refused at the door may be asked again with a newer token.
      return api.call(operation, input, principal(await renew(session)))
    }
  }

  /** An id that was there before never becomes that of somebody who signed in. */
  async function begin(state: Omit<Session, 'idHash'>): Promise<void> {
    const newId = newSessionId()
    const next = { ...state, idHash: hashSessionId(newId) }
    await sessions.create(next)
    if (session) await sessions.remove(session.idHash)
    session = next
    cookies.push(sessionCookie(newId, { isSecure, maxAgeSeconds: sessionDays * 86_400 }))
  }

  const visit: Visit = {
    get session() {
      return session
    },
    get isSignedIn() {
      return session?.secrets.accessToken !== undefined
    },
    isSessionAway,
    publicUrl,
    log: logger,
    cookies,
    call,
    token,
    permissions: async () => (visit.isSignedIn ? deps.permissions.of(visit) : new Set()),
    async keep(change) {
      const decide = typeof change === 'function' ? change : () => change
      let made: SessionChange = {}
      const save = (current: Session) => {
        made = decide(current)
        return made
      }
      if (session && (await sessions.update(session.idHash, save))) {
        session = { ...session, ...made }
      } else await begin({ ...guest, ...decide({ ...guest, idHash: Buffer.alloc(0) }) })
    },
    async signIn(credentials) {
      const { data } = await api.call('signIn', { body: credentials }, principal())
      const { accessToken, refreshToken } = data
      await begin({
        ...guest,
        secrets: { accessToken, refreshToken, orderTokens: session?.secrets.orderTokens ?? {} },
        customerId: subjectOf(accessToken),
        accessExpiresAt: new Date(now() + data.expiresInSeconds * 1_000),
        cartId: session?.cartId ?? null,
        cartCount: session?.cartCount ?? 0,
      })
    },
    async signOut() {
      if (!session) return
      const { idHash } = session
      try {
        if (visit.isSignedIn) await call('signOut', {})
      } catch (error) {
        const isKnown = error instanceof ApiProblem || error instanceof SessionEnded
        if (!isKnown) throw error
        // The browser forgets the session in any case; its refresh token then dies of age.
        logger.warn({ error }, 'A session was not ended at auth.')
      }
      await sessions.remove(idHash)
      session = undefined
      cookies.push(endedSessionCookie({ isSecure }))
    },
  }
  return visit
}

/** Whose token it is. Not verified: it came from auth a moment ago, and the gateway verifies it. */
function subjectOf(accessToken: string): string | null {
  const [, payload = ''] = accessToken.split('.')
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as { sub?: string }
  return claims.sub ?? null
}
