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
  signIn(credentials: { email: string; password: string; device?: string }): Promise<void>
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

/** What of a visit changes while it lasts. */
type State = { session: Session | undefined; readonly cookies: string[] }
type From = { cookie: string | undefined; clientAddress: string; signal?: AbortSignal }

/** Opens the visit that a request's cookies belong to. */
export async function openVisit(deps: VisitDeps, request: From): Promise<Visit> {
  const { publicUrl, logger: log } = deps
  const state: State = { session: undefined, cookies: [] }
  const isSessionAway = !(await readSession(deps, state, request.cookie))
  const calls = createCalls(deps, state, request)
  const visit: Visit = {
    get session() {
      return state.session
    },
    get isSignedIn() {
      return state.session?.secrets.accessToken !== undefined
    },
    ...{ isSessionAway, publicUrl, log, cookies: state.cookies },
    ...calls,
    ...createSessionChanges(deps, state, { request, calls }),
    permissions: async () => (visit.isSignedIn ? deps.permissions.of(visit) : new Set()),
  }
  return visit
}

const isSecure = ({ publicUrl }: VisitDeps) => publicUrl.startsWith('https:')

/** False when the sessions cannot be read. */
async function readSession(
  deps: VisitDeps,
  state: State,
  cookie: string | undefined,
): Promise<boolean> {
  const id = readSessionId(cookie)
  if (id === undefined) return true
  try {
    state.session = await deps.sessions.find(hashSessionId(id))
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    deps.logger.warn({ error }, 'A session could not be read; the visitor is shown as a guest.')
    return false
  }
  if (!state.session) state.cookies.push(endedSessionCookie({ isSecure: isSecure(deps) }))
  return true
}

type Calls = Pick<Visit, 'call' | 'token'>

function createCalls(deps: VisitDeps, state: State, { clientAddress, signal }: From): Calls {
  const { api, now } = deps
  const principal = (token?: string): Principal => ({ token, clientAddress, signal })

  async function renew(old: Session): Promise<string> {
    state.session = await deps.refresher.refresh(old, principal())
    const renewed = state.session?.secrets.accessToken
    if (renewed !== undefined) return renewed
    state.cookies.push(endedSessionCookie({ isSecure: isSecure(deps) }))
    throw new SessionEnded('The session was ended.')
  }

  async function token(): Promise<string | undefined> {
    const { session } = state
    if (session?.secrets.accessToken === undefined) return undefined
    const endsAt = session.accessExpiresAt?.getTime() ?? 0
    return endsAt - now() > leastLifeMs ? session.secrets.accessToken : renew(session)
  }

  async function call<Name extends OperationName>(operation: Name, input: ApiInput<Name>) {
    const { access } = api.routeOf(operation)
    if (access.kind === 'public') return api.call(operation, input, principal())
    if (access.kind === 'order-holder') {
      const { orderId } = input.params as { orderId: string }
      const held = state.session?.secrets.orderTokens?.[orderId]
      if (held !== undefined) return api.call(operation, input, principal(held))
    }
    const used = await token()
    try {
      return await api.call(operation, input, principal(used))
    } catch (error) {
      const isRefused = error instanceof ApiProblem && error.problem.status === 401
      if (!isRefused || used === undefined || !state.session) throw error
      // Nothing was done: what is refused at the door may be asked again with a newer token.
      return api.call(operation, input, principal(await renew(state.session)))
    }
  }
  return { call, token }
}

function createSessionChanges(
  deps: VisitDeps,
  state: State,
  { request, calls }: { request: From; calls: Calls },
): Pick<Visit, 'keep' | 'signIn' | 'signOut'> {
  const { sessions, api, now, logger } = deps

  /** An id that was there before never becomes that of somebody who signed in. */
  async function begin(content: Omit<Session, 'idHash'>): Promise<void> {
    const id = newSessionId()
    const next = { ...content, idHash: hashSessionId(id) }
    await sessions.create(next)
    if (state.session) await sessions.remove(state.session.idHash)
    state.session = next
    const maxAgeSeconds = sessionDays * 86_400
    state.cookies.push(sessionCookie(id, { isSecure: isSecure(deps), maxAgeSeconds }))
  }

  return {
    async keep(change) {
      const decide = typeof change === 'function' ? change : () => change
      let made: SessionChange = {}
      const save = (current: Session) => {
        made = decide(current)
        return made
      }
      const { session } = state
      if (session && (await sessions.update(session.idHash, save))) {
        state.session = { ...session, ...made }
      } else await begin({ ...guest, ...decide({ ...guest, idHash: Buffer.alloc(0) }) })
    },
    async signIn(credentials) {
      const { data } = await api.call('signIn', { body: credentials }, request)
      const { accessToken, refreshToken } = data
      const { secrets, cartId = null, cartCount = 0 } = state.session ?? {}
      await begin({
        secrets: { accessToken, refreshToken, orderTokens: secrets?.orderTokens ?? {} },
        customerId: subjectOf(accessToken),
        accessExpiresAt: new Date(now() + data.expiresInSeconds * 1_000),
        ...{ cartId, cartCount },
      })
    },
    async signOut() {
      const { session } = state
      if (!session) return
      try {
        if (session.secrets.accessToken !== undefined) await calls.call('signOut', {})
      } catch (error) {
        const isKnown = error instanceof ApiProblem || error instanceof SessionEnded
        if (!isKnown) throw error
        // The browser forgets the session in any case; its refresh token then dies of age.
        logger.warn({ error }, 'A session was not ended at auth.')
      }
      await sessions.remove(session.idHash)
      state.session = undefined
      state.cookies.push(endedSessionCookie({ isSecure: isSecure(deps) }))
    },
  }
}

/** Whose token it is. Not verified: it came from auth a moment ago, and the gateway verifies it. */
function subjectOf(accessToken: string): string | null {
  const [, payload = ''] = accessToken.split('.')
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as { sub?: string }
  return claims.sub ?? null
}
