import type { FastifyRequest } from 'fastify'
import { AppError } from './errors.ts'
import type { RouteContract } from './http-contract.ts'
import { unsupportedMediaType } from './http-problem.ts'
import { createInternalCheck } from './internal-secret.ts'
import type { Policy } from './policy.ts'
import type { Caller, TokenVerifier } from './tokens.ts'

/** What the access rules of contracts are checked with. */
export type Keepers = {
  tokens?: TokenVerifier
  policy?: Policy
  /** What other services send on routes whose access is `internal`. */
  internalSecret?: string
}

/** Decides who may pass, before any byte of the body is read. */
export function createGate(
  { access, operation }: RouteContract,
  { tokens, policy, internalSecret }: Keepers,
): (request: FastifyRequest) => Promise<Caller | undefined> {
  const lacks = (what: string) => new Error(`${operation} needs ${what} to check its access.`)
  if (access.kind === 'public') return async () => undefined
  if (access.kind === 'internal') {
    if (internalSecret === undefined) throw lacks('the internal secret')
    const checkSecret = createInternalCheck(internalSecret)
    return async (request) => {
      checkSecret(request.headers.authorization)
      return undefined
    }
  }
  if (!tokens) throw lacks('a token verifier')
  const { kind, permission } = access
  if (kind === 'permission' && (!policy || permission === undefined)) {
    throw lacks('a policy and a permission')
  }
  return async ({ headers }) => {
    if (kind === 'optional' && headers.authorization === undefined) return undefined
    const caller = await tokens.verify(headers.authorization)
    if (caller.orderId !== undefined && kind !== 'order-holder') {
      throw new AppError('forbidden', 'SIGN_IN_REQUIRED', 'An order token opens its order alone.')
    }
    if (permission !== undefined) policy?.require(caller, permission)
    return caller
  }
}

/** Refuses a body whose type the contract does not name, before it is read. */
export function checkContentType(contract: RouteContract, { headers }: FastifyRequest): void {
  const hasBody =
    headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
  if (!hasBody) return
  const encoding = headers['content-encoding']
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw unsupportedMediaType('a body without content-encoding', 'content-encoding')
  }
  const contentType = headers['content-type'] ?? ''
  const mediaType = contentType.split(';', 1)[0]?.trim().toLowerCase() ?? ''
  const { bodyMediaTypes } = contract
  if (bodyMediaTypes) {
    if (!bodyMediaTypes.includes(mediaType)) throw unsupportedMediaType(bodyMediaTypes.join(', '))
  } else if (contract.bodyType === 'text/csv') {
    if (mediaType !== 'text/csv') throw unsupportedMediaType('text/csv')
  } else if (contract.bodyType !== 'raw' && !/^application\/([\w.+-]+\+)?json$/.test(mediaType)) {
    throw unsupportedMediaType('application/json')
  }
  // Text is read as UTF-8: any other reading of the same bytes would be another text.
  const charset = /;\s*charset\s*=\s*"?([^\s";]*)/i.exec(contentType)?.[1]
  if (
    contract.bodyType !== 'raw' &&
    charset !== undefined &&
    !/^(utf-?8|us-ascii)$/i.test(charset)
  ) {
    throw unsupportedMediaType('text in UTF-8')
  }
}
