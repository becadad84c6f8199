import { routes as carts } from '@halles/contracts/gen/http/carts'
import type { ReplicaRebuild } from '@halles/contracts/gen/http/gateway'
import { routes as wishlists } from '@halles/contracts/gen/http/wishlists'
import { AppError } from '@halles/kit/errors'
import { callInternal } from './internal-call.ts'
import type { Upstream } from './upstream.ts'

const rebuilds = {
  carts: carts.rebuildCartReplica,
  wishlists: wishlists.rebuildWishlistReplica,
} as const

export type ReplicaService = keyof typeof rebuilds

// A large topic takes a minute. Below the five minutes after which common HTTP clients give up.
const deadlineMs = 240_000

/**
 * Has a service rebuild its replica. Throws what the service says (`REBUILD_UNDER_WAY`, …), timeout
 * `UPSTREAM_TIMEOUT` while it goes on, and unavailable `GATEWAY_STOPPING`.
 */
export async function rebuildReplica(
  upstream: Upstream,
  options: { service: ReplicaService; internalSecret: string; closing: AbortSignal },
): Promise<ReplicaRebuild> {
  const { service, internalSecret, closing } = options
  try {
    const done = await callInternal(upstream, internalSecret, {
      contract: rebuilds[service],
      deadlineMs,
      isRepeatable: false,
      // Whoever asked may leave: half a rebuild serves nobody.
      signal: closing,
    })
    return done as ReplicaRebuild
  } catch (cause) {
    if (!closing.aborted) throw cause
    const text = `This gateway is stopping; ${service} goes on rebuilding.`
    throw new AppError('unavailable', 'GATEWAY_STOPPING', text, { retryAfterSeconds: 5, cause })
  }
}
