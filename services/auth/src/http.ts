import { type Operations, routes } from '@halles/contracts/gen/http/auth'
import { type HttpServer, reply } from '@halles/kit/http-server'
import { type Caller, requireCaller } from '@halles/kit/tokens'
import type { OwnSession } from './domain.ts'
import type { KeyRing } from './key-ring.ts'
import type { Deps } from './ports.ts'
import {
  endSession,
  listSessions,
  refreshSession,
  signIn,
  signOut,
  signOutEverywhere,
  type Tokens,
} from './use-cases.ts'

export { routes }

/** Serves the contract `auth`. */
export function serveAuth(server: HttpServer<Operations>, deps: Deps & { ring: KeyRing }): void {
  server.on('signIn', async ({ body, signal }) => toReply(await signIn(deps, body, signal)))
  server.on('refreshSession', async ({ body }) =>
    toReply(await refreshSession(deps, body.refreshToken)),
  )
  server.on('listSessions', async ({ caller }) => {
    const { id: current, subjectId } = toSession(caller)
    return { items: (await listSessions(deps, subjectId)).map(toView(current)) }
  })
  server.on('endSession', async ({ caller, params }) => {
    const { subjectId } = toSession(caller)
    await endSession(deps, { id: params.sessionId.toLowerCase(), subjectId })
    return reply(undefined)
  })
  server.on('signOut', async ({ caller }) => signOut(deps, toSession(caller)))
  server.on('signOutEverywhere', async ({ caller }) => signOutEverywhere(deps, toSession(caller)))
  server.on('getKeySet', async () => ({ keys: deps.ring.keys().map(({ jwk }) => jwk) }))
}

/** RFC 6749 §5.1: an answer with tokens is not stored by anybody. */
function toReply(tokens: Tokens) {
  return reply(tokens, { headers: { 'cache-control': 'no-store' } })
}

function toView(current: string) {
  return ({ createdAt, lastUsedAt, expiresAt, ...session }: OwnSession) => ({
    ...session,
    createdAt: createdAt.toISOString(),
    lastUsedAt: lastUsedAt.toISOString(),
    expiresAt: expiresAt.toISOString(),
    isCurrent: session.id === current,
  })
}

function toSession(caller: Caller | undefined): { id: string; subjectId: string } {
  const { sessionId, subjectId } = requireCaller(caller)
  return { id: sessionId, subjectId }
}
