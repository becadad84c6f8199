import type { Operations } from '@halles/contracts/gen/http/gateway'
import type { HttpServer } from '@halles/kit/http-server'
import type { Messaging } from '@halles/kit/messaging'
import { requireCaller } from '@halles/kit/tokens'
import type { Audit } from './audit.ts'
import type { CacheFigures } from './cache-figures.ts'
import {
  replayMatching,
  toAuditDetails,
  toDeadLetter,
  toDeadLetterDetail,
  toFilter,
} from './dead-letters.ts'
import { type ReplicaService, rebuildReplica } from './replicas.ts'
import { answerSchema } from './schemas.ts'
import { addConsole, type ConsoleDeps } from './system/operations.ts'
import { describeSystem } from './system.ts'
import type { Upstream } from './upstream.ts'

export type OperationsDeps = {
  id: string
  address: string
  isReady: () => boolean
  upstreams: ReadonlyMap<string, Upstream>
  messaging: Messaging
  cacheFigures: CacheFigures
  audit: Audit
  console: ConsoleDeps
  internalSecret: string
  /** Aborted when the gateway begins to stop: what takes long ends then. */
  closing: AbortSignal
}

// The contract's defaults, for a body that leaves them out.
const replayLimit = 100
const replaysPerSecond = 10

/** The gateway's own operations of the contract. */
export function addOperations(server: HttpServer<Operations>, deps: OperationsDeps): void {
  server.on('getSystem', async () => {
    const state = deps.isReady() ? 'ready' : 'draining'
    const self = { service: 'gateway', id: deps.id, address: deps.address, pid: process.pid }
    const { otherGateways } = deps.console
    return describeSystem({ ...deps, otherGateways, self: { ...self, state } })
  })
  server.on('getMessageSchema', async ({ params, headers }) =>
    answerSchema(params.messageType, headers['if-none-match']),
  )
  addConsole(server, deps.console)
  addDeadLetters(server, deps)
  addRebuild(server, deps)
}

function addDeadLetters(
  server: HttpServer<Operations>,
  { messaging, audit, closing }: OperationsDeps,
): void {
  const { deadLetters } = messaging

  server.on('listDeadLetters', async ({ query }) => {
    const { limit, cursor, ...asked } = query
    const filter = { ...toFilter(asked), limit, ...(cursor !== undefined && { cursor }) }
    const page = await deadLetters.list(filter)
    return { items: page.items.map(toDeadLetter), nextCursor: page.nextCursor ?? null }
  })

  /** Finds the letter and records what is about to happen to it. */
  async function permit(
    actorId: string,
    action: string,
    { id, reason }: { id: string; reason?: string },
  ) {
    const letter = await deadLetters.get(id)
    const details = { ...toAuditDetails(letter), ...(reason !== undefined && { reason }) }
    await audit.record({ actorId, action, target: `dead-letter:${id}`, details })
    return letter
  }

  server.on('getDeadLetter', async ({ params: { deadLetterId: id }, caller }) => {
    const { subjectId } = requireCaller(caller)
    return toDeadLetterDetail(await permit(subjectId, 'dead-letter-read', { id }))
  })

  server.on('replayDeadLetter', async ({ params: { deadLetterId: id }, caller }) => {
    await permit(requireCaller(caller).subjectId, 'dead-letter-replay', { id })
    await deadLetters.replay(id)
    return undefined
  })

  server.on('discardDeadLetter', async ({ params: { deadLetterId: id }, body, caller }) => {
    const { reason } = body
    await permit(requireCaller(caller).subjectId, 'dead-letter-discard', { id, reason })
    await deadLetters.discard(id, reason)
    return undefined
  })

  server.on('replayDeadLetters', async ({ body, caller, signal, log }) => {
    const { limit = replayLimit, ratePerSecond = replaysPerSecond, ...asked } = body
    const actorId = requireCaller(caller).subjectId
    const result = await replayMatching(
      deadLetters,
      {
        filter: { ...toFilter(asked), limit },
        ratePerSecond,
        signal: AbortSignal.any([signal, closing]),
      },
      (letters) =>
        audit.record({
          actorId,
          action: 'dead-letters-replay',
          target: 'dead-letters',
          details: { ...asked, ratePerSecond, deadLetterIds: letters.map(({ id }) => id) },
        }),
    )
    const { replayed, failed, hasMore } = result
    log.info({ replayed, failed: failed.length, hasMore }, 'Dead letters were replayed.')
    return result
  })
}

function addRebuild(server: HttpServer<Operations>, deps: OperationsDeps): void {
  const { upstreams, audit, internalSecret, closing } = deps
  server.on('rebuildReplica', async ({ params, caller }) => {
    const service = params.replicaService as ReplicaService
    const upstream = upstreams.get(service)
    if (!upstream) throw new Error(`The gateway does not know where ${service} is.`)
    await audit.record({
      actorId: requireCaller(caller).subjectId,
      action: 'replica-rebuild',
      target: `replica:${service}`,
      details: {},
    })
    return rebuildReplica(upstream, { service, internalSecret, closing })
  })
}
