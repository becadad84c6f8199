import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import type { PaymentState } from '@halles/contracts/gen/grpc/payments'
import { AppError } from '@halles/kit/errors'
import { uuidv7 } from '@halles/kit/ids'
import { eventually } from '@halles/kit/testing'
import { aRequest, card, debit, payAt, startService } from './service.ts'

describe('payments', () => {
  let service: Awaited<ReturnType<typeof startService>>

  before(async () => {
    service = await startService()
  })
  beforeEach(() => {
    service.play.settle = undefined
  })
  after(() => service.stop())

  /** A payment that was paid on its page, and of which orders knows. */
  async function paid(changes: Parameters<typeof aRequest>[0] = {}) {
    const asked = aRequest(changes)
    const { orderId } = asked
    const made = await service.client.createPayment(asked)
    assert.equal(await payAt(made.redirectUrl), 303)
    await told(orderId, ({ phase }) => phase === 'PAYMENT_PHASE_CAPTURED')
    const intentId = await intentOf(made.redirectUrl)
    return { ...made, asked, orderId, intentId }
  }

  async function intentOf(redirectUrl: string): Promise<string> {
    const sessionId = /cs_\w+/.exec(redirectUrl)?.[0] ?? ''
    const { payment_intent: intent } = await service.stripe.checkout.sessions.retrieve(sessionId)
    return String(intent)
  }

  const told = (orderId: string, isSo: (state: PaymentState) => boolean) =>
    eventually(() => {
      const state = service.toldOf(orderId)
      return state && isSo(state) ? state : false
    })

  /** Resolves when the provider has delivered all that it has to say of an order. */
  const delivered = (orderId: string) =>
    eventually(async () => {
      const { data } = await service.stripe.events.list({ limit: 100 })
      const own = data.filter((event) => JSON.stringify(event).includes(orderId))
      return own.length > 0 && own.every((event) => event.pending_webhooks === 0)
    })

  /** A genuine event of a paid session, as the provider would send it again. */
  async function eventOf(orderId: string) {
    const events = await service.stripe.events.list({
      type: 'checkout.session.completed',
      limit: 100,
    })
    const found = events.data.find((event) => JSON.stringify(event).includes(orderId))
    assert.ok(found)
    return found
  }

  test('what is paid on the provider’s page reaches orders, with what was paid', async () => {
    const asked = aRequest()
    const { client } = service
    const [made, again] = await Promise.all([
      client.createPayment(asked),
      client.createPayment(asked),
    ])
    assert.deepEqual(made, again)
    assert.equal(await payAt(made.redirectUrl, { ...card, number: '4000000000000002' }), 402)
    assert.equal(await payAt(made.redirectUrl), 303)
    const state = await told(asked.orderId, ({ capturedMinor }) => capturedMinor > 0)
    assert.deepEqual(state, {
      paymentId: made.paymentId,
      revision: 1,
      phase: 'PAYMENT_PHASE_CAPTURED',
      currency: 'GBP',
      amountMinor: 2_500,
      capturedMinor: 2_500,
      refunds: [],
      disputes: [],
    })
    const other = { ...asked, amountMinor: 1_250, lines: [{ ...asked.lines[0], quantity: 1 }] }
    await assert.rejects(client.createPayment(other as typeof asked), { code: 'PAYMENT_MISMATCH' })
  })
  test('a payment is cancelled when it is open, and returned when it was made', async () => {
    const asked = aRequest()
    const { redirectUrl } = await service.client.createPayment(asked)
    const { state } = await service.client.cancelPayment({ orderId: asked.orderId })
    assert.equal(state.phase, 'PAYMENT_PHASE_ENDED')
    assert.equal(await payAt(redirectUrl), 410)
    await told(asked.orderId, ({ phase }) => phase === 'PAYMENT_PHASE_ENDED')
    const { orderId } = await paid()
    const ended = await service.client.cancelPayment({ orderId })
    assert.deepEqual(
      ended.state.refunds.map(({ amountMinor, phase }) => [amountMinor, phase]),
      [[2_500, 'REFUND_PHASE_SUCCEEDED']],
    )
  })

  test('refunds by us and in the dashboard reach orders, each once', async () => {
    const { orderId, intentId } = await paid()
    const refundId = uuidv7()
    const refund = { orderId, refundId, amountMinor: 700, reason: 'broken' }
    for (const _ of [1, 2]) {
      const { state } = await service.client.refundPayment(refund)
      assert.deepEqual(
        state.refunds.map((each) => [each.refundId, each.amountMinor, each.phase]),
        [[refundId, 700, 'REFUND_PHASE_SUCCEEDED']],
      )
    }
    const byHand = { payment_intent: intentId, amount: 300 }
    await service.inspect('POST', 'dashboard/refunds', byHand)
    const state = await told(orderId, ({ refunds }) => refunds.length === 2)
    assert.deepEqual(state.refunds.map(({ amountMinor }) => amountMinor).sort(), [300, 700])
    const tooMuch = { ...refund, refundId: uuidv7(), amountMinor: 1_501 }
    await assert.rejects(service.client.refundPayment(tooMuch), { code: 'REFUND_TOO_LARGE' })
  })

  test('a dispute reaches orders when it is opened, and when it is decided', async () => {
    for (const outcome of ['won', 'lost'] as const) {
      const { orderId, intentId } = await paid()
      const asked = { payment_intent: intentId }
      const dispute = await service.inspect<{ id: string }>('POST', 'dashboard/disputes', asked)
      await told(orderId, ({ disputes }) => disputes[0]?.phase === 'DISPUTE_PHASE_OPEN')
      const refund = { orderId, refundId: uuidv7(), amountMinor: 700, reason: '' }
      await assert.rejects(service.client.refundPayment(refund), { code: 'PAYMENT_DISPUTED' })
      await service.inspect('POST', `dashboard/disputes/${dispute.id}/close`, { outcome })
      const phase = outcome === 'won' ? 'DISPUTE_PHASE_WON' : 'DISPUTE_PHASE_LOST'
      await told(orderId, ({ disputes }) => disputes[0]?.phase === phase)
    }
  })

  for (const outcome of ['succeeded', 'failed'] as const) {
    test(`a debit that takes days has ${outcome} in the end, and orders hears both`, async () => {
      const asked = aRequest()
      const { redirectUrl } = await service.client.createPayment(asked)
      assert.equal(await payAt(redirectUrl, debit), 303)
      await told(asked.orderId, ({ phase }) => phase === 'PAYMENT_PHASE_PROCESSING')
      const cancelled = service.client.cancelPayment({ orderId: asked.orderId })
      await assert.rejects(cancelled, { code: 'PAYMENT_PROCESSING' })
      const path = `dashboard/payment_intents/${await intentOf(redirectUrl)}/settle`
      await service.inspect('POST', path, { outcome })
      const phase = outcome === 'failed' ? 'PAYMENT_PHASE_ENDED' : 'PAYMENT_PHASE_CAPTURED'
      await told(asked.orderId, (state) => state.phase === phase)
    })
  }

  test('while orders fails the provider gets 503 and tries again until it is applied', async () => {
    service.play.settle = () => {
      throw new AppError('unavailable', 'DATABASE_UNAVAILABLE', 'Down.')
    }
    const asked = aRequest()
    const { redirectUrl } = await service.client.createPayment(asked)
    await payAt(redirectUrl)
    const tries = () => service.settled.filter(({ orderId }) => orderId === asked.orderId).length
    await eventually(() => tries() > 4)
    const failed = await service.send(await eventOf(asked.orderId))
    assert.deepEqual([failed.status, failed.body.code], [503, 'ORDERS_UNAVAILABLE'])
    service.play.settle = undefined
    await eventually(async () => {
      const { body } = await service.send(await eventOf(asked.orderId))
      return body.outcome === 'duplicate'
    })
    assert.equal(service.toldOf(asked.orderId)?.phase, 'PAYMENT_PHASE_CAPTURED')
  })

  test('the same event twenty times at once has one effect', async () => {
    const { orderId } = await paid()
    const event = { ...(await eventOf(orderId)), id: `evt_${uuidv7().replaceAll('-', '')}` }
    const answers = await Promise.all(Array.from({ length: 20 }, () => service.send(event)))
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]))
    assert.equal(service.toldOf(orderId)?.revision, 1)
  })

  test('money for a dead order goes back before the provider is told that all is well', async () => {
    const asked = aRequest()
    service.dead.add(asked.orderId)
    const { redirectUrl } = await service.client.createPayment(asked)
    await payAt(redirectUrl)
    const state = await told(asked.orderId, ({ refunds }) => refunds.length > 0)
    assert.deepEqual(
      state.refunds.map(({ amountMinor, phase }) => [amountMinor, phase]),
      [[2_500, 'REFUND_PHASE_SUCCEEDED']],
    )
    const refunds = await service.stripe.refunds.list({
      payment_intent: await intentOf(redirectUrl),
    })
    assert.equal(refunds.data.length, 1)
  })

  test('the shopper’s return settles the order without a notification', async () => {
    await service.inspect('POST', 'faults', { target: 'webhook', kind: 'lose' })
    const asked = aRequest()
    const { orderId } = asked
    const { redirectUrl } = await service.client.createPayment(asked)
    assert.equal((await service.client.syncPayment({ orderId })).state.phase, 'PAYMENT_PHASE_OPEN')
    await payAt(redirectUrl)
    const { state } = await service.client.syncPayment({ orderId })
    assert.equal(state.phase, 'PAYMENT_PHASE_CAPTURED')
    const [news] = service.settled.filter((each) => each.orderId === orderId)
    assert.equal(news?.cause, 'return')
    await service.inspect('DELETE', 'faults')
  })

  test('what is forged, unsigned, altered or of no interest is answered as such', async () => {
    const { orderId } = await paid()
    await delivered(orderId)
    const count = () => service.settled.filter((each) => each.orderId === orderId).length
    const genuine = await eventOf(orderId)
    const event = { ...genuine, id: `evt_${uuidv7().replaceAll('-', '')}` }
    const before = count()
    const stripe = service.stripe.webhooks
    const old = stripe.generateTestHeaderString({
      payload: JSON.stringify(event),
      secret: 'whsec_0123456789abcdef',
      timestamp: Math.floor(Date.now() / 1_000) - 301,
    })
    for (const signature of ['t=1,v1=00', '', 'nonsense', old]) {
      const { status, body } = await service.send(event, { 'stripe-signature': signature })
      assert.deepEqual([status, body.code], [400, 'INVALID_SIGNATURE'], signature)
    }
    assert.equal(count(), before)
    const unknown = await service.send({ ...event, type: 'payout.paid' })
    assert.deepEqual(unknown, { status: 200, body: { received: true, outcome: 'ignored' } })
    service.play.settle = () => {
      throw new AppError('not-found', 'ORDER_NOT_FOUND', 'There is no such order.')
    }
    const lost = aRequest()
    const { redirectUrl } = await service.client.createPayment(lost)
    await payAt(redirectUrl)
    const told = () => service.settled.filter((each) => each.orderId === lost.orderId).length
    await eventually(() => told() > 0)
    for (const _ of [1, 2]) {
      const { status, body } = await service.send(await eventOf(lost.orderId))
      assert.deepEqual([status, body.code], [404, 'ORDER_NOT_FOUND'])
    }
  })

  test('operators list events, see why one was refused, and apply it again', async () => {
    service.play.settle = () => {
      throw new AppError('not-found', 'ORDER_NOT_FOUND', 'There is no such order.')
    }
    const asked = aRequest()
    const { redirectUrl } = await service.client.createPayment(asked)
    await payAt(redirectUrl)
    const as = service.authority.bearer(uuidv7(), ['operator'])
    type Item = { id: string; orderId: string | null; outcome: string; type: string }
    const find = async () => {
      const query = 'events?outcome=refused&type=checkout.session.completed&limit=100'
      const { status, body } = await service.call('GET', query, { as })
      assert.equal(status, 200)
      return (body.items as Item[]).find(({ orderId }) => orderId === asked.orderId) ?? false
    }
    const refused = await eventually(find)
    service.play.settle = undefined
    const replayed = await service.call('POST', `events/${refused.id}/replay`, { as })
    assert.deepEqual(replayed, { status: 200, body: { received: true, outcome: 'applied' } })
    assert.equal(await find(), false)
    const nobody = service.authority.bearer(uuidv7(), ['staff'])
    assert.equal((await service.call('GET', 'events', { as: nobody })).status, 403)
    const path = `events/${refused.id}/replay`
    assert.equal((await service.call('POST', path, { as: nobody })).status, 403)
    const unknown = await service.call('POST', 'events/evt_unknown/replay', { as })
    assert.deepEqual([unknown.status, unknown.body.code], [404, 'EVENT_NOT_FOUND'])
    const first = await service.call('GET', 'events?limit=1', { as })
    const cursor = String(first.body.nextCursor)
    const second = await service.call('GET', `events?limit=1&cursor=${cursor}`, { as })
    const idOf = ({ body }: typeof first) => (body.items as Item[])[0]?.id
    assert.notEqual(idOf(first), idOf(second))
    assert.equal((await service.call('GET', 'events?cursor=nonsense', { as })).status, 400)
  })

  test('a transfer is paid and returned by people', async () => {
    const asked = aRequest({ method: 'PAYMENT_METHOD_BANK_TRANSFER' })
    const { orderId } = asked
    const { redirectUrl } = await service.client.createPayment(asked)
    assert.equal(redirectUrl, `https://shop.example/checkout/transfer?order=${orderId}`)
    const subjectId = uuidv7()
    const receipt = { orderId, amountMinor: 2_500, currency: 'GBP', reference: '12', subjectId }
    const { state } = await service.client.recordReceipt(receipt)
    assert.equal(state.phase, 'PAYMENT_PHASE_CAPTURED')
    const refundId = uuidv7()
    const refund = { orderId, refundId, amountMinor: 2_500, reason: 'broken' }
    const { state: pending } = await service.client.refundPayment(refund)
    assert.equal(pending.refunds[0]?.phase, 'REFUND_PHASE_PENDING')
    const as = service.authority.bearer(subjectId, ['staff'])
    const sent = await service.call('POST', `refunds/${refundId}/sent`, { as })
    assert.deepEqual(sent, { status: 200, body: { orderId, refundId, status: 'succeeded' } })
    assert.equal(service.toldOf(orderId)?.refunds[0]?.phase, 'REFUND_PHASE_SUCCEEDED')
    const nobody = service.authority.bearer(subjectId, ['operator'])
    const forbidden = await service.call('POST', `refunds/${refundId}/sent`, { as: nobody })
    assert.equal(forbidden.status, 403)
  })
})

describe('payments with manual capture', () => {
  let service: Awaited<ReturnType<typeof startService>>

  before(async () => {
    service = await startService({ env: { CAPTURE_METHOD: 'manual' } })
  })
  after(() => service.stop())

  async function held() {
    const asked = aRequest()
    const { redirectUrl } = await service.client.createPayment(asked)
    assert.equal(await payAt(redirectUrl), 303)
    await told(asked.orderId, 'PAYMENT_PHASE_AUTHORIZED')
    const sessionId = /cs_\w+/.exec(redirectUrl)?.[0] ?? ''
    const { payment_intent: intent } = await service.stripe.checkout.sessions.retrieve(sessionId)
    return { orderId: asked.orderId, intentId: String(intent) }
  }
  const told = (orderId: string, phase: PaymentState['phase']) =>
    eventually(() => service.toldOf(orderId)?.phase === phase)

  test('what is held is taken by a capture, ours or one in the dashboard', async () => {
    const { orderId } = await held()
    for (const _ of [1, 2]) {
      const { state } = await service.client.capturePayment({ orderId, amountMinor: 2_000 })
      assert.deepEqual([state.phase, state.capturedMinor], ['PAYMENT_PHASE_CAPTURED', 2_000])
      assert.deepEqual(state.refunds, [])
    }
    const other = await held()
    await service.inspect('POST', `dashboard/payment_intents/${other.intentId}/capture`, {})
    await told(other.orderId, 'PAYMENT_PHASE_CAPTURED')
  })

  test('what is held is let go by a cancellation, in the dashboard, and for a dead order', async () => {
    const { orderId } = await held()
    const { state } = await service.client.cancelPayment({ orderId })
    assert.equal(state.phase, 'PAYMENT_PHASE_ENDED')
    const other = await held()
    await service.inspect('POST', `dashboard/payment_intents/${other.intentId}/cancel`, {})
    await told(other.orderId, 'PAYMENT_PHASE_ENDED')
    const asked = aRequest()
    service.dead.add(asked.orderId)
    const { redirectUrl } = await service.client.createPayment(asked)
    await payAt(redirectUrl)
    await told(asked.orderId, 'PAYMENT_PHASE_ENDED')
  })
})
