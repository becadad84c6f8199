import { AppError } from '@halles/kit/errors'
import {
  isGivenUp,
  learn,
  type Payment,
  paymentDisputed,
  paymentProcessing,
} from '../domain/payment.ts'
import { isDisputed, returnableMinor } from '../domain/state.ts'
import type { Deps } from '../ports.ts'
import { mustReferences } from './references.ts'
import { returnMoney } from './return-money.ts'

/**
 * Ends the payment of an order for good: nothing can be paid afterwards, what is held is let go, and
 * what was paid goes back in full. Each step may be repeated, so a call that failed half-way is
 * simply made again. Money that the provider has refused to return often enough stays, and is left
 * to a person.
 * @throws conflict `PAYMENT_PROCESSING`, `PAYMENT_DISPUTED`; what the provider throws.
 */
export async function cancelPayment(deps: Deps, orderId: string): Promise<Payment> {
  const closed = await deps.payments.close(orderId, deps.newId())
  const payment = await endTimeToPay(deps, closed)
  const { phase } = payment.state
  if (phase === 'ended') return payment
  if (phase === 'open' || phase === 'processing') throw paymentProcessing()
  if (isDisputed(payment.state)) throw paymentDisputed()
  const returned = await returnMoney(deps, payment)
  if (isDisputed(returned.state)) throw paymentDisputed()
  if (returned.state.phase !== 'authorized' && returnableMinor(returned.state) === 0) {
    return returned
  }
  if (isGivenUp(returned)) {
    // The order must not hang for ever on money that only a person can return: that is a finding.
    deps.log.error({ orderId }, 'The money of a cancelled order could not be returned.')
    return returned
  }
  const message = 'The payment provider does not return the money.'
  throw new AppError('unprocessable', 'PROVIDER_REFUSED', message)
}

async function endTimeToPay(deps: Deps, payment: Payment): Promise<Payment> {
  const { phase } = payment.state
  if (phase !== 'open' && phase !== 'processing') return payment
  const provider = deps.providers[payment.provider]
  const references = mustReferences(payment)
  const seen =
    phase === 'open' ? await provider.expire(references) : await provider.read(references)
  return deps.payments.update(payment, (each) => learn(each, seen))
}
