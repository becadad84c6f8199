import type Stripe from 'stripe'
import { byDebit, checkout, goodCard, inspect, manual, paidIntent } from './harness.ts'

/** A life for every kind of object, with all states that the sandbox can bring it into. */
export async function liveThroughAll(stripe: Stripe, sandbox: { url: string }): Promise<void> {
  const card = (number: string) => ({ ...goodCard, number })
  const expired = await stripe.checkout.sessions.create({
    ...checkout,
    cancel_url: 'http://s.example',
  })
  await stripe.checkout.sessions.expire(expired.id)
  await stripe.checkout.sessions.create({ ...checkout, excluded_payment_method_types: ['link'] })
  for (const number of ['4000000000000002', '4000002500003155', '4000000000000259']) {
    await paidIntent(stripe, card(number))
  }
  const captured = await paidIntent(stripe, goodCard, manual)
  await stripe.paymentIntents.capture(captured, { amount_to_capture: 1000 })
  const canceled = await paidIntent(stripe, goodCard, manual)
  await stripe.paymentIntents.cancel(canceled)
  const forgotten = await paidIntent(stripe, goodCard, manual)
  await inspect(sandbox, `POST dashboard/payment_intents/${forgotten}/cancel`, {
    cancellation_reason: 'automatic',
  })
  const slow = await paidIntent(stripe, card('4000000000007726'))
  await stripe.refunds.create({ payment_intent: slow, reason: 'duplicate', metadata: { a: 'b' } })
  const failing = await paidIntent(stripe, card('4000000000005126'))
  await stripe.refunds.create({ payment_intent: failing, amount: 1 })
  await paidIntent(stripe, card('4000000000001976'))
  const debited = await paidIntent(stripe, { iban: 'DE89370400440532013000' }, byDebit)
  await paidIntent(stripe, { iban: 'DE62370400440532013001' }, byDebit)
  await paidIntent(stripe, { iban: 'DE35370400440532013002' }, byDebit)
  // Once for what banks answer, once for the disputes that follow.
  await inspect(sandbox, 'POST tasks/run')
  await inspect(sandbox, 'POST tasks/run')
  await stripe.refunds.create({ payment_intent: debited })
  const [first, second] = (await stripe.disputes.list()).data
  await stripe.disputes.update(first?.id ?? '', { evidence: { customer_name: 'Ada' } })
  await inspect(sandbox, `POST dashboard/disputes/${first?.id}/close`, { outcome: 'won' })
  await stripe.disputes.close(second?.id ?? '')
}
