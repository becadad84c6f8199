import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { AppError } from '@halles/kit/errors'
import { uuidv7 } from '@halles/kit/ids'
import { returnableMinor } from '../src/domain/state.ts'
import { cancelPayment } from '../src/use-cases/cancel-payment.ts'
import { capturePayment } from '../src/use-cases/capture-payment.ts'
import { createPayment } from '../src/use-cases/create-payment.ts'
import { receiveEvent } from '../src/use-cases/receive-event.ts'
import { recordRefundSent, refundPayment } from '../src/use-cases/refund-payment.ts'
import { recordReceipt, syncPayment } from '../src/use-cases/sync-payment.ts'
import { deadOrder, delivered, gbp } from './fixtures.ts'
import { openUseCases } from './harness.ts'

const { drop, setUp } = await openUseCases()
after(drop)

const aRefund = (orderId: string, amountMinor: number, refundId = uuidv7()) => ({
  orderId,
  refundId,
  amountMinor,
  reason: null,
})

async function paid(answer?: Parameters<typeof setUp>[0]) {
  const shop = setUp(answer)
  const { paymentId } = await createPayment(shop.deps, shop.terms)
  shop.pay(shop.orderId)
  await receiveEvent(shop.deps, delivered(await shop.aNotice()))
  return { ...shop, paymentId }
}

test('an order’s payment is created once, however often and at once it is asked for', async () => {
  const { deps, terms, sessions } = setUp()
  const made = await Promise.all(Array.from({ length: 20 }, () => createPayment(deps, terms)))
  assert.equal(new Set(made.map(({ paymentId }) => paymentId)).size, 1)
  assert.equal(new Set(made.map(({ redirectUrl }) => redirectUrl)).size, 1)
  assert.equal(sessions.size, 1)
  const other = { ...terms, amount: gbp(1_250), lines: [{ ...terms.lines[0], quantity: 1 }] }
  await assert.rejects(createPayment(deps, other as typeof terms), { code: 'PAYMENT_MISMATCH' })
  const byTransfer = { ...terms, provider: 'bank-transfer' as const }
  await assert.rejects(createPayment(deps, byTransfer), { code: 'PAYMENT_MISMATCH' })
  const wrong = { ...terms, amount: gbp(1) }
  await assert.rejects(createPayment(deps, wrong), { code: 'PAYMENT_LINES_MISMATCH' })
})

test('cancelling ends an open session, and no payment can follow', async () => {
  const { deps, terms, orderId, stateOf } = setUp()
  await createPayment(deps, terms)
  assert.equal((await cancelPayment(deps, orderId)).state.phase, 'ended')
  assert.equal(stateOf(orderId).phase, 'ended')
  const again = await cancelPayment(deps, orderId)
  assert.deepEqual([again.state.phase, again.revision], ['ended', 1])
  await assert.rejects(createPayment(deps, terms), { code: 'PAYMENT_CANCELLED' })
})

test('cancelling before the payment was asked for refuses it for good', async () => {
  const { deps, terms, orderId, calls } = setUp()
  assert.equal((await cancelPayment(deps, orderId)).state.phase, 'ended')
  await assert.rejects(createPayment(deps, terms), { code: 'PAYMENT_CANCELLED' })
  assert.deepEqual(calls, [])
})

test('cancelling while the session is being made leaves no open session', async () => {
  const { deps, terms, orderId, stateOf } = setUp()
  const { stripe } = deps.providers
  const racing = {
    ...stripe,
    async createSession(payment: Parameters<typeof stripe.createSession>[0]) {
      const session = await stripe.createSession(payment)
      assert.equal((await cancelPayment(deps, orderId)).state.phase, 'ended')
      return session
    },
  }
  const raced = { ...deps, providers: { ...deps.providers, stripe: racing } }
  await assert.rejects(createPayment(raced, terms), { code: 'PAYMENT_CANCELLED' })
  assert.equal(stateOf(orderId).phase, 'ended')
})

test('cancelling a payment that was made meanwhile returns the money, once', async () => {
  const { deps, terms, orderId, pay, stateOf } = setUp()
  await createPayment(deps, terms)
  pay(orderId)
  const ended = await Promise.all(Array.from({ length: 5 }, () => cancelPayment(deps, orderId)))
  for (const { state } of ended) assert.equal(returnableMinor(state), 0)
  assert.deepEqual(
    stateOf(orderId).refunds.map(({ amountMinor }) => amountMinor),
    [2_500],
  )
})

test('cancelling lets go what is held', async () => {
  const { deps, terms, orderId, happen, calls } = setUp()
  await createPayment(deps, terms)
  happen(orderId, { phase: 'authorized' })
  assert.equal((await cancelPayment(deps, orderId)).state.phase, 'ended')
  assert.equal(calls.filter((call) => call === 'release').length, 1)
})

test('a payment that the bank still decides on, or disputes, cannot be cancelled yet', async () => {
  const { deps, terms, orderId, happen, pay } = setUp()
  await createPayment(deps, terms)
  happen(orderId, { phase: 'processing' })
  await assert.rejects(cancelPayment(deps, orderId), { code: 'PAYMENT_PROCESSING' })
  pay(orderId)
  happen(orderId, { disputes: [{ id: 'du_1', amountMinor: 2_500, phase: 'open' }] })
  await assert.rejects(cancelPayment(deps, orderId), { code: 'PAYMENT_DISPUTED' })
  happen(orderId, { disputes: [{ id: 'du_1', amountMinor: 2_500, phase: 'won' }] })
  await syncPayment(deps, orderId)
  assert.equal(returnableMinor((await cancelPayment(deps, orderId)).state), 0)
})

test('cancelling ends though the provider never returns the money: that is left to a person', async () => {
  const { deps, orderId } = await paid()
  const refund = async () => {
    throw new AppError('unprocessable', 'PROVIDER_REFUSED', 'Charged back.')
  }
  const stripe = { ...deps.providers.stripe, refund }
  const refusing = { ...deps, providers: { ...deps.providers, stripe } }
  for (let count = 1; count < 5; count += 1) {
    await assert.rejects(cancelPayment(refusing, orderId), { code: 'PROVIDER_REFUSED' })
  }
  const { state } = await cancelPayment(refusing, orderId)
  assert.equal(returnableMinor(state), 2_500)
})

test('what is held is taken once, and again answers the same', async () => {
  const { deps, terms, orderId, happen, calls, stateOf } = setUp()
  await assert.rejects(capturePayment(deps, { orderId, amountMinor: 1 }), {
    kind: 'not-found',
    code: 'PAYMENT_NOT_FOUND',
  })
  await createPayment(deps, terms)
  const ask = (amountMinor: number) => capturePayment(deps, { orderId, amountMinor })
  await assert.rejects(ask(2_000), { code: 'PAYMENT_NOT_AUTHORIZED' })
  happen(orderId, { phase: 'authorized' })
  await assert.rejects(ask(2_501), { code: 'CAPTURE_TOO_LARGE' })
  for (const { state } of [await ask(2_000), await ask(2_000)]) {
    assert.deepEqual([state.phase, state.capturedMinor], ['captured', 2_000])
  }
  assert.equal(calls.filter((call) => call === 'capture').length, 1)
  assert.equal(stateOf(orderId).capturedMinor, 2_000)
})

test('what was let go meanwhile cannot be taken', async () => {
  const { deps, terms, orderId, happen } = setUp()
  await createPayment(deps, terms)
  happen(orderId, { phase: 'authorized' })
  await syncPayment(deps, orderId)
  happen(orderId, { phase: 'ended' })
  const asked = { orderId, amountMinor: 2_500 }
  await assert.rejects(capturePayment(deps, asked), { code: 'PAYMENT_NOT_AUTHORIZED' })
})

test('refunds at once never exceed what was taken, and the same id is the same refund', async () => {
  const { deps, orderId, paymentOf } = await paid()
  // One that would return more than was taken: it is on us that it is not asked to.
  const made = new Set<string>()
  const { stripe } = deps.providers
  const refund: typeof stripe.refund = async (_, { isRepeated: __, ...asked }) => {
    made.add(asked.id)
    return { ...asked, providerId: `re_${asked.id}`, phase: 'succeeded' }
  }
  const generous = { ...deps, providers: { ...deps.providers, stripe: { ...stripe, refund } } }
  const ids = Array.from({ length: 6 }, () => uuidv7())
  const asked = [...ids, ...ids].map((id) => refundPayment(generous, aRefund(orderId, 1_000, id)))
  const answers = await Promise.allSettled(asked)
  const refusals = answers.flatMap((each) => (each.status === 'rejected' ? [each.reason.code] : []))
  assert.deepEqual(new Set(refusals), new Set(['REFUND_TOO_LARGE']))
  assert.equal(refusals.length, 8)
  const { state } = await paymentOf()
  assert.deepEqual(new Set(state.refunds.map(({ id }) => id)), made)
  assert.equal(made.size, 2)
  assert.equal(returnableMinor(state), 500)
  await assert.rejects(refundPayment(deps, aRefund(orderId, 999, state.refunds[0]?.id ?? '')), {
    code: 'REFUND_MISMATCH',
  })
})

test('money that was returned in the dashboard is not returned again', async () => {
  const { deps, orderId, happen, stateOf } = await paid()
  const byHand = { id: null, providerId: 're_hand', amountMinor: 2_000, reason: null }
  happen(orderId, { refunds: [{ ...byHand, phase: 'succeeded' }] })
  const asked = aRefund(orderId, 1_000)
  await assert.rejects(refundPayment(deps, asked), { code: 'REFUND_TOO_LARGE' })
  await assert.rejects(refundPayment(deps, asked), { code: 'REFUND_TOO_LARGE' })
  assert.equal(returnableMinor((await refundPayment(deps, aRefund(orderId, 500))).state), 0)
  assert.equal(stateOf(orderId).refunds.length, 2)
})

test('a refund of a payment under dispute is refused, whoever knows of it first', async () => {
  const { deps, orderId, happen } = await paid()
  happen(orderId, { disputes: [{ id: 'du_1', amountMinor: 2_500, phase: 'open' }] })
  for (const _ of ['the provider', 'we']) {
    const asked = aRefund(orderId, 1_000)
    await assert.rejects(refundPayment(deps, asked), { code: 'PAYMENT_DISPUTED' })
  }
})

test('nothing can be refunded before anything was taken', async () => {
  const { deps, terms, orderId } = setUp()
  await createPayment(deps, terms)
  await assert.rejects(refundPayment(deps, aRefund(orderId, 1)), { code: 'PAYMENT_NOT_CAPTURED' })
  await assert.rejects(refundPayment(deps, aRefund(orderId, 0)), { code: 'INVALID_REQUEST' })
})

test('a refund whose answer was lost is found again, not made again', async () => {
  const { deps, orderId, stateOf } = await paid()
  const { stripe } = deps.providers
  const lost = {
    ...stripe,
    async refund(...asked: Parameters<typeof stripe.refund>) {
      await stripe.refund(...asked)
      throw new AppError('unavailable', 'PROVIDER_UNAVAILABLE', 'Gone.')
    },
  }
  const losing = { ...deps, providers: { ...deps.providers, stripe: lost } }
  const asked = aRefund(orderId, 1_000)
  await assert.rejects(refundPayment(losing, asked), { code: 'PROVIDER_UNAVAILABLE' })
  const { state } = await refundPayment(deps, asked)
  assert.equal(state.refunds[0]?.phase, 'succeeded')
  assert.equal(stateOf(orderId).refunds.length, 1)
})

test('the shopper’s return settles what no notification has told yet', async () => {
  const { deps, terms, orderId, pay, settled, aNotice } = setUp()
  await createPayment(deps, terms)
  assert.equal((await syncPayment(deps, orderId)).state.phase, 'open')
  assert.equal(settled.length, 0)
  pay(orderId)
  assert.equal((await syncPayment(deps, orderId)).state.phase, 'captured')
  assert.deepEqual(
    settled.map(({ cause, payment }) => [cause, payment.revision, payment.state.capturedMinor]),
    [['return', 1, 2_500]],
  )
  assert.equal(await receiveEvent(deps, delivered(await aNotice())), 'duplicate')
  assert.equal(settled.length, 1)
})

test('a bank transfer is paid by whoever sees it arrive, and returned by whoever sends it', async () => {
  const { deps, terms, orderId, settled } = setUp()
  const { redirectUrl } = await createPayment(deps, { ...terms, provider: 'bank-transfer' })
  assert.equal(redirectUrl, `https://shop.example/checkout/transfer?order=${orderId}`)
  const receipt = { orderId, amount: gbp(2_500), reference: 'statement 12', subjectId: uuidv7() }
  const wrong = { ...receipt, amount: gbp(2_400) }
  await assert.rejects(recordReceipt(deps, wrong), { code: 'RECEIPT_MISMATCH' })
  for (const { state } of [
    await recordReceipt(deps, receipt),
    await recordReceipt(deps, receipt),
  ]) {
    assert.deepEqual([state.phase, state.capturedMinor], ['captured', 2_500])
  }
  assert.deepEqual(
    settled.map(({ cause }) => cause),
    [`receipt:${receipt.subjectId}`],
  )
  const asked = aRefund(orderId, 1_000)
  const { state } = await refundPayment(deps, asked)
  assert.equal(state.refunds[0]?.phase, 'pending')
  const sent = { refundId: asked.refundId, subjectId: receipt.subjectId }
  assert.deepEqual(await recordRefundSent(deps, sent), { orderId, phase: 'succeeded' })
  const told = settled.at(-1)
  assert.equal(told?.payment.state.refunds[0]?.phase, 'succeeded')
  const unknown = { ...sent, refundId: uuidv7() }
  await assert.rejects(recordRefundSent(deps, unknown), { code: 'REFUND_NOT_FOUND' })
})

test('nobody says by hand what the provider tells by itself', async () => {
  const { deps, orderId } = await paid()
  const receipt = { orderId, amount: gbp(2_500), reference: '', subjectId: uuidv7() }
  await assert.rejects(recordReceipt(deps, receipt), { code: 'PAYMENT_NOT_MANUAL' })
  const asked = aRefund(orderId, 1_000)
  await refundPayment(deps, asked)
  const sent = { refundId: asked.refundId, subjectId: uuidv7() }
  await assert.rejects(recordRefundSent(deps, sent), { code: 'PAYMENT_NOT_MANUAL' })
})

test('a transfer that arrives for a dead order is to be sent back', async () => {
  const { deps, terms, orderId } = setUp(deadOrder)
  await createPayment(deps, { ...terms, provider: 'bank-transfer' })
  await cancelPayment(deps, orderId)
  const receipt = { orderId, amount: gbp(2_500), reference: '', subjectId: uuidv7() }
  const { state } = await recordReceipt(deps, receipt)
  assert.deepEqual(
    state.refunds.map(({ amountMinor, phase }) => [amountMinor, phase]),
    [[2_500, 'pending']],
  )
})
