import {
  descriptor,
  type ProductsServiceRpcs,
  type ReserveStockRequest,
  serviceName,
} from '@halles/contracts/gen/grpc/products'
import { toServiceDefinition } from '@halles/contracts/grpc'
import { AppError, type FieldError } from '@halles/kit/errors'
import { type GrpcService, grpcService } from '@halles/kit/grpc-server'
import { isUuid } from '@halles/kit/ids'
import type { Metrics } from '@halles/kit/metrics'
import type { Deps } from './ports.ts'
import { releaseStock, reserveStock } from './use-cases/reservations.ts'

const maxLines = 100
const maxQuantity = 1_000_000
// Two weeks: bank transfers and other methods whose money takes days. Later it is another order.
const maxTtlSeconds = 14 * 86_400

/** The gRPC edge. */
export function productsService(deps: Deps, metrics: Metrics): GrpcService {
  const refusals = metrics.counter({
    name: 'stock_refusals_total',
    help: 'Reservations that were refused because the stock has too little.',
  })
  return grpcService<ProductsServiceRpcs>(toServiceDefinition(descriptor, serviceName), {
    async reserveStock(request) {
      checkRequest(request)
      try {
        return { lines: await reserveStock(deps, normalised(request)) }
      } catch (error) {
        if (error instanceof AppError && error.code === 'OUT_OF_STOCK') refusals.inc()
        throw error
      }
    },
    async releaseStock({ reservationId }) {
      if (!isUuid(reservationId)) throw invalid([notAnId('/reservationId')])
      await releaseStock(deps, reservationId.toLowerCase())
      return {}
    },
  })
}

/** Ids as the database writes them, so that they can be compared with what it answers. */
function normalised({ reservationId, lines, ttlSeconds }: ReserveStockRequest) {
  return {
    reservationId: reservationId.toLowerCase(),
    lines: lines.map(({ variantId, quantity }) => ({
      variantId: variantId.toLowerCase(),
      quantity,
    })),
    ttlSeconds,
  }
}

function checkRequest({ reservationId, lines, ttlSeconds }: ReserveStockRequest): void {
  const faults: FieldError[] = []
  if (!isUuid(reservationId)) faults.push(notAnId('/reservationId'))
  if (lines.length === 0 || lines.length > maxLines) {
    faults.push({ pointer: '/lines', detail: `must have from 1 to ${maxLines} lines` })
  }
  if (!(ttlSeconds >= 1 && ttlSeconds <= maxTtlSeconds)) {
    faults.push({ pointer: '/ttlSeconds', detail: `must be from 1 to ${maxTtlSeconds}` })
  }
  for (const [index, { variantId, quantity }] of lines.slice(0, maxLines).entries()) {
    if (!isUuid(variantId)) faults.push(notAnId(`/lines/${index}/variantId`))
    if (!(quantity >= 1 && quantity <= maxQuantity)) {
      const detail = `must be from 1 to ${maxQuantity}`
      faults.push({ pointer: `/lines/${index}/quantity`, detail })
    }
  }
  if (faults.length > 0) throw invalid(faults)
}

function notAnId(pointer: string): FieldError {
  return { pointer, detail: 'must be a UUID' }
}

function invalid(errors: readonly FieldError[]): AppError {
  const detail = 'The request has fields that cannot be used.'
  return new AppError('invalid', 'INVALID_REQUEST', detail, { errors })
}
