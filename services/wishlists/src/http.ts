import type { Operations } from '@halles/contracts/gen/http/wishlists'
import { type HttpServer, reply } from '@halles/kit/http-server'
import type { Rebuilds } from '@halles/kit/rebuilds'
import { requireCaller } from '@halles/kit/tokens'
import type { Deps, Rebuild } from './ports.ts'
import { getWishlist, putItem, removeItem } from './use-cases.ts'

export function serveWishlists(
  server: HttpServer<Operations>,
  deps: Deps & { rebuilds: Rebuilds<Rebuild> },
): void {
  server.on('getWishlist', async ({ caller }) => ({
    items: await getWishlist(deps, requireCaller(caller).subjectId),
  }))

  server.on('putWishlistItem', ({ params: { variantId }, caller }) =>
    putItem(deps, { variantId, customerId: requireCaller(caller).subjectId }),
  )

  server.on('rebuildWishlistReplica', () => deps.rebuilds.run())

  server.on('removeWishlistItem', async ({ params: { variantId }, caller }) => {
    await removeItem(deps, { variantId, customerId: requireCaller(caller).subjectId })
    return reply(undefined)
  })
}
