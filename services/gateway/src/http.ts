import type { Operations } from '@halles/contracts/gen/http/gateway'
import type { HttpServer } from '@halles/kit/http-server'
import type { Messaging } from '@halles/kit/messaging'
import type { Cache } from './cache.ts'
import { describeSystem, toDeadLetter } from './system.ts'
import type { Upstream } from './upstream.ts'

/** The gateway's own operations of the contract. */
export function addOperations(
  server: HttpServer<Operations>,
  deps: {
    id: string
    address: string
    isReady: () => boolean
    upstreams: ReadonlyMap<string, Upstream>
    messaging: Messaging
    cache: Cache
  },
): void {
  const { messaging } = deps
  server.on('getSystem', async () => {
    const state = deps.isReady() ? 'ready' : 'draining'
    const self = { service: 'gateway', id: deps.id, address: deps.address, pid: process.pid }
    return describeSystem({ ...deps, self: { ...self, state } })
  })
  server.on('listDeadLetters', async ({ query }) => {
    const { limit, cursor, type } = query
    const page = await messaging.deadLetters.list({
      limit,
      ...(cursor !== undefined && { cursor }),
      ...(type !== undefined && { type }),
    })
    return { items: page.items.map(toDeadLetter), nextCursor: page.nextCursor ?? null }
  })
  server.on('replayDeadLetter', async ({ params }) => {
    await messaging.deadLetters.replay(params.deadLetterId)
    return undefined
  })
}
