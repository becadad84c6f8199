import type { PublicRoute } from '@halles/contracts/gen/routing'
import { AppError } from '@halles/kit/errors'
import type { Policy } from '@halles/kit/policy'
import type { Caller, TokenVerifier } from '@halles/kit/tokens'

/**
 * Authenticates and authorizes by the route's contract; the services check again. Returns the
 * caller where one is known; a token that was accepted before is not waited for.
 * Throws unauthenticated, forbidden, or unavailable while keys or policy are not known.
 */
export function checkAccess(
  { tokens, policy }: { tokens: TokenVerifier; policy: Policy },
  { access }: PublicRoute,
  authorization: string | undefined,
): Promise<Caller> | Caller | undefined {
  if (access.kind === 'public') return undefined
  if (authorization === undefined) {
    if (access.kind === 'optional') return undefined
    throw new AppError('unauthenticated', 'AUTHENTICATION_REQUIRED', 'Sign in first.')
  }
  // Only orders can tell a guest's order token; what is no access token is left to it.
  if (access.kind === 'order-holder' && isOrderToken(authorization)) return undefined
  const permit = (caller: Caller) => {
    if (access.permission !== undefined) policy.require(caller, access.permission)
    return caller
  }
  const known = tokens.recall(authorization)
  return known ? permit(known) : tokens.verify(authorization).then(permit)
}

/** Order tokens are signed by orders alone, with a secret of its own: they name no key. */
function isOrderToken(authorization: string): boolean {
  const head = /^Bearer ([\w-]+)\./i.exec(authorization)?.[1] ?? ''
  return Buffer.from(head, 'base64url').toString('latin1').includes('"HS256"')
}
