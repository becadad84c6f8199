import type { Cart as CartView, Operations } from '@halles/contracts/gen/http/carts'
import { eventStream, type HttpServer } from '@halles/kit/http-server'
import type { Rebuilds } from '@halles/kit/rebuilds'
import { type Caller, requireCaller } from '@halles/kit/tokens'
import { type Cart, cartTotal, lineTotal } from './domain.ts'
import type { Deps, Rebuild } from './ports.ts'
import {
  claimCart,
  createCart,
  getCart,
  getCurrentCart,
  putLine,
  removeLine,
  watchCart,
} from './use-cases.ts'

export function serveCarts(
  server: HttpServer<Operations>,
  deps: Deps & { rebuilds: Rebuilds<Rebuild> },
): void {
  server.on('createCart', async ({ caller }) => toView(await createCart(deps, customerOf(caller))))

  server.on('getCurrentCart', async ({ caller }) =>
    toView(await getCurrentCart(deps, requireCaller(caller).subjectId)),
  )

  server.on('getCart', async ({ params: { cartId }, caller }) =>
    toView(await getCart(deps, { cartId, customerId: customerOf(caller) })),
  )

  server.on('putCartLine', async ({ params, body: { quantity }, caller }) =>
    toView(await putLine(deps, { ...params, quantity, customerId: customerOf(caller) })),
  )

  server.on('removeCartLine', async ({ params, caller }) =>
    toView(await removeLine(deps, { ...params, customerId: customerOf(caller) })),
  )

  server.on('claimCart', async ({ params: { cartId }, caller }) =>
    toView(await claimCart(deps, { cartId, customerId: requireCaller(caller).subjectId })),
  )

  server.on('rebuildCartReplica', () => deps.rebuilds.run())

  server.on('streamCart', async ({ params: { cartId }, caller, signal }) =>
    eventStream(
      toEvents(await watchCart(deps, { cartId, customerId: customerOf(caller), signal })),
    ),
  )
}

/** A guest may come with an order's token, which owns no cart. */
function customerOf(caller: Caller | undefined): string | null {
  return caller === undefined || caller.orderId !== undefined ? null : caller.subjectId
}

async function* toEvents(carts: AsyncIterable<Cart>) {
  for await (const cart of carts) yield { event: 'cart', data: toView(cart) }
}

function toView(cart: Cart): CartView {
  return {
    id: cart.id,
    customerId: cart.customerId,
    lines: cart.lines.map((line) => ({ ...line, total: lineTotal(line) })),
    total: cartTotal(cart),
    version: cart.version,
  }
}
