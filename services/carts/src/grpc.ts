import { type CartsServiceRpcs, descriptor, serviceName } from '@halles/contracts/gen/grpc/carts'
import { toServiceDefinition } from '@halles/contracts/grpc'
import { type GrpcService, grpcService } from '@halles/kit/grpc-server'
import { isUuid } from '@halles/kit/ids'
import { cartNotFound } from './domain.ts'
import type { Deps } from './ports.ts'
import { getCart } from './use-cases.ts'

export function serveCartsGrpc(deps: Pick<Deps, 'carts'>): GrpcService {
  return grpcService<CartsServiceRpcs>(toServiceDefinition(descriptor, serviceName), {
    async getCart({ cartId, subjectId }) {
      if (!isUuid(cartId)) throw cartNotFound()
      const cart = await getCart(deps, { cartId, customerId: subjectId || null })
      return {
        cartId: cart.id,
        lines: cart.lines.map(({ variantId, quantity, unitPrice }) => ({
          variantId,
          quantity,
          unitAmountMinor: unitPrice.amountMinor,
          currency: unitPrice.currency,
        })),
      }
    },
  })
}
