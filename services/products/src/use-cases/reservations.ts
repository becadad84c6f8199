import { mergeLines } from '../domain/reservations.ts'
import type { Deps, PaidOrder, ReservationRequest } from '../ports.ts'

type Reserving = Pick<Deps, 'reservations' | 'clock' | 'newId'>

// One transaction holds the locks of this many reservations; the next round takes the rest.
const expiryBatch = 50

export async function reserveStock(deps: Reserving, request: ReservationRequest) {
  const lines = mergeLines(request.lines)
  return deps.reservations.reserve({ ...request, lines }, stampOf(deps))
}

export async function releaseStock(deps: Reserving, reservationId: string) {
  await deps.reservations.release(reservationId, stampOf(deps))
}

/** Frees a batch of what has expired; true when there may be more. */
export async function releaseExpired(deps: Reserving): Promise<boolean> {
  return (await deps.reservations.releaseExpired(expiryBatch, stampOf(deps))) === expiryBatch
}

/** Returns how many pieces were sold that are not there. */
export async function sellReserved(deps: Reserving, order: PaidOrder): Promise<number> {
  return deps.reservations.sell(order, stampOf(deps))
}

export async function cancelReserved(
  deps: Reserving,
  order: Pick<PaidOrder, 'messageId' | 'orderId'>,
) {
  await deps.reservations.cancel(order, stampOf(deps))
}

export async function takeBackReturned(deps: Reserving, order: PaidOrder) {
  await deps.reservations.takeBack(order, stampOf(deps))
}

function stampOf({ clock, newId }: Pick<Deps, 'clock' | 'newId'>) {
  return { at: clock(), newId }
}
