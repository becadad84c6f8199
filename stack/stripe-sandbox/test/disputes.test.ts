import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import { eventually } from '@halles/kit/testing'
import type Stripe from 'stripe'
import type { SandboxOptions } from '../src/app.ts'
import { chargeOf, eventTypes, goodCard, inspect, paidIntent, startTestSandbox } from './harness.ts'

async function disputed(
  t: TestContext,
  number: string,
  options: Partial<SandboxOptions> = { bankDelayMs: 10 },
) {
  const { stripe, sandbox } = await startTestSandbox(t, options)
  const payment_intent = await paidIntent(stripe, { ...goodCard, number })
  const dispute = await eventually(
    async (): Promise<Stripe.Dispute | undefined> =>
      (await stripe.disputes.list({ payment_intent })).data[0],
  )
  assert.ok(dispute)
  return { stripe, sandbox, payment_intent, dispute }
}

const statusOf = async (stripe: Stripe, id: string) => (await stripe.disputes.retrieve(id)).status

test('the dispute card is disputed as soon as it has paid, and its money is taken back', async (t) => {
  const { stripe, payment_intent, dispute } = await disputed(t, '4000000000000259')
  assert.match(dispute.id, /^du_/)
  assert.deepEqual(
    [dispute.status, dispute.reason, dispute.amount, dispute.is_charge_refundable],
    ['needs_response', 'fraudulent', 2999, false],
  )
  assert.equal(dispute.balance_transactions[0]?.amount, -2999)
  const charge = await chargeOf(stripe, payment_intent)
  assert.deepEqual([charge.disputed, charge.amount_refunded, charge.refunded], [true, 0, false])
  assert.deepEqual(await eventTypes(stripe, 4), [
    'charge.dispute.created',
    'charge.dispute.funds_withdrawn',
  ])
  await assert.rejects(stripe.refunds.create({ payment_intent }), {
    type: 'StripeInvalidRequestError',
    code: 'charge_disputed',
    charge: charge.id,
  })
})

for (const [words, verdict, closing] of [
  ['winning_evidence', 'won', ['charge.dispute.closed', 'charge.dispute.funds_reinstated']],
  ['losing_evidence', 'lost', ['charge.dispute.closed']],
] as const) {
  test(`${words} is looked at and the dispute is ${verdict}`, async (t) => {
    const { stripe, dispute } = await disputed(t, '4000000000002685')
    assert.equal(dispute.reason, 'product_not_received')
    const answered = await stripe.disputes.update(dispute.id, {
      evidence: { uncategorized_text: words, customer_name: 'Ada' },
    })
    assert.deepEqual(
      [
        answered.status,
        answered.evidence.customer_name,
        answered.evidence_details.submission_count,
      ],
      ['under_review', 'Ada', 1],
    )
    await eventually(async () => (await statusOf(stripe, dispute.id)) === verdict)
    assert.deepEqual(await eventTypes(stripe, 6), ['charge.dispute.updated', ...closing])
    const { balance_transactions } = await stripe.disputes.retrieve(dispute.id)
    const money = balance_transactions.reduce((sum, { amount }) => sum + amount, 0)
    assert.equal(money, verdict === 'won' ? 0 : -2999)
  })
}

test('after a dispute that was won the payment can be refunded', async (t) => {
  const { stripe, sandbox, payment_intent, dispute } = await disputed(t, '4000000000000259')
  await inspect(sandbox, `POST dashboard/disputes/${dispute.id}/close`, { outcome: 'won' })
  assert.equal((await stripe.refunds.create({ payment_intent })).status, 'succeeded')
})

test('a draft of evidence leaves the dispute waiting, and giving up loses it', async (t) => {
  const { stripe, dispute } = await disputed(t, '4000000000000259')
  const draft = await stripe.disputes.update(dispute.id, {
    evidence: { uncategorized_text: 'winning_evidence' },
    submit: false,
  })
  assert.deepEqual([draft.status, draft.evidence_details.has_evidence], ['needs_response', true])
  assert.equal((await stripe.disputes.close(dispute.id)).status, 'lost')
  await assert.rejects(stripe.disputes.close(dispute.id), { type: 'StripeInvalidRequestError' })
})

test('an inquiry takes no money and leaves the charge refundable', async (t) => {
  const { stripe, sandbox, payment_intent, dispute } = await disputed(t, '4000000000001976')
  assert.deepEqual(
    [dispute.status, dispute.is_charge_refundable, dispute.balance_transactions],
    ['warning_needs_response', true, []],
  )
  assert.deepEqual(await eventTypes(stripe, 4), ['charge.dispute.created'])
  await stripe.refunds.create({ payment_intent, amount: 100 })
  await inspect(sandbox, `POST dashboard/disputes/${dispute.id}/close`, { outcome: 'won' })
  assert.equal(await statusOf(stripe, dispute.id), 'warning_closed')
})

test('a dispute can be opened by hand for what is left of a charge, once', async (t) => {
  const { stripe, sandbox } = await startTestSandbox(t)
  const payment_intent = await paidIntent(stripe)
  await stripe.refunds.create({ payment_intent, amount: 999 })
  const open = () =>
    inspect(sandbox, 'POST dashboard/disputes', { payment_intent, reason: 'duplicate' })
  const opened = await open()
  assert.deepEqual(
    [opened.status, opened.body.amount, opened.body.reason],
    [200, 2000, 'duplicate'],
  )
  assert.equal((await open()).status, 400)
  const ledger = await inspect(sandbox, 'GET ledger')
  assert.deepEqual(ledger.body.ledger, [
    { currency: 'eur', charges: 1, captured: 2999, refunded: 999, disputed: 2000, net: 0 },
  ])
  const { charge } = await stripe.disputes.retrieve(String(opened.body.id), { expand: ['charge'] })
  assert.ok(typeof charge === 'object')
  assert.equal(charge.disputed, true)
})
