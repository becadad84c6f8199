import { AppError } from '@halles/kit/errors'
import { type Settlement, toRefusal } from '../domain/events.ts'
import { isSettled, learn, type Payment, type Snapshot } from '../domain/payment.ts'
import type { Deps } from '../ports.ts'
import { finishRefunds, returnMoney } from './return-money.ts'

export type Cause = {
  /** `event:<provider's id>`, `return`, `reconciliation`, `receipt:<subject>`, `sent:<subject>`. */
  cause: string
  /** Asks orders even when it has been told all of this. */
  isForced?: boolean
}

export type Settled = {
  payment: Payment
  outcome: 'applied' | 'duplicate'
  /** Up to which revision orders knows the payment now; null when that is not certain. */
  settledRevision: number | null
}

// What arrived, what was returned, and once more when something else moved between the two.
const maxRounds = 3

/**
 * The one path by which money changes an order, whoever brings the news: what was seen is merged into
 * what we know, and orders is told all of it. Money that the order cannot have goes back first, and
 * orders is told again. Repeating any part of it does no harm.
 * @throws what orders refuses it with for good; unavailable `ORDERS_UNAVAILABLE`.
 */
export async function settlePayment(
  deps: Deps,
  payment: Payment,
  seen: Snapshot | null,
  cause: Cause,
): Promise<Settled> {
  const settled = await settle(deps, payment, seen, cause)
  if (settled.settledRevision !== null && settled.settledRevision > payment.settledRevision) {
    await deps.payments.recordSettled(payment.id, settled.settledRevision)
  }
  return settled
}

/** The same, for a caller that keeps `settledRevision` together with its own result. */
export async function settle(
  deps: Deps,
  known: Payment,
  seen: Snapshot | null,
  { cause, isForced = false }: Cause,
): Promise<Settled> {
  const learned = seen ? await deps.payments.update(known, (each) => learn(each, seen)) : known
  // A refund that was recorded, and whose caller never came back, is counted as on its way.
  let payment = await finishRefunds(deps, learned)
  if (isSettled(payment) && !isForced) {
    return { payment, outcome: 'duplicate', settledRevision: payment.settledRevision }
  }
  let outcome: Settled['outcome'] = 'duplicate'
  for (let round = 0; round < maxRounds; round += 1) {
    const settlement = await tell(deps, payment, cause)
    if (settlement !== 'duplicate') outcome = 'applied'
    if (settlement !== 'refund-due') return { payment, outcome, settledRevision: payment.revision }
    const returned = await returnMoney(deps, payment)
    // Nothing can be done now: a dispute is open, or the provider has still to decide.
    if (returned.revision === payment.revision) break
    payment = returned
  }
  return { payment, outcome, settledRevision: null }
}

async function tell({ orders }: Deps, payment: Payment, cause: string): Promise<Settlement> {
  try {
    return await orders.settlePayment(payment, cause)
  } catch (error) {
    if (toRefusal(error) || !(error instanceof AppError)) throw error
    throw new AppError(
      'unavailable',
      'ORDERS_UNAVAILABLE',
      'The order cannot take this now. Send it again.',
      { details: { reason: error.code }, retryAfterSeconds: 5, cause: error },
    )
  }
}
