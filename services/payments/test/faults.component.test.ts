import assert from 'node:assert/strict'
import { after, afterEach, before, describe, test } from 'node:test'
import { uuidv7 } from '@halles/kit/ids'
import { eventually } from '@halles/kit/testing'
import { aRequest, payAt, startService } from './service.ts'

type Fault = { target: 'api' | 'webhook'; kind: string; [setting: string]: unknown }

describe('payments, when the provider', () => {
  let service: Awaited<ReturnType<typeof startService>>

  before(async () => {
    service = await startService()
  })
  afterEach(() => service.inspect('DELETE', 'faults'))
  after(() => service.stop())

  const breakBy = (fault: Fault) => service.inspect('POST', 'faults', fault)
  const sessionOf = (url: string) => /cs_\w+/.exec(url)?.[0] ?? ''

  async function intentOf(url: string) {
    const session = await service.stripe.checkout.sessions.retrieve(sessionOf(url))
    return String(session.payment_intent)
  }

  async function opened() {
    const asked = aRequest()
    const { redirectUrl } = await service.client.createPayment(asked)
    return { orderId: asked.orderId, redirectUrl }
  }

  async function paid() {
    const made = await opened()
    await payAt(made.redirectUrl)
    await isTold(made.orderId)
    return { ...made, intentId: await intentOf(made.redirectUrl) }
  }

  const isTold = (orderId: string) =>
    eventually(() => service.toldOf(orderId)?.phase === 'PAYMENT_PHASE_CAPTURED')

  /** Until the sandbox has delivered, or given up, everything. */
  const isQuiet = () =>
    eventually(async () => {
      const { deliveries } = await service.inspect<{ deliveries: { waiting: number } }>(
        'GET',
        'state',
      )
      return deliveries.waiting === 0
    })

  for (const fault of [
    { kind: 'delay', delay_ms: 200 },
    { kind: 'duplicate', copies: 5 },
    { kind: 'duplicate', copies: 1, delay_ms: 100 },
    { kind: 'reorder', delay_ms: 400, seed: 7 },
    { kind: 'drop', count: 3 },
    { kind: 'lose_answer', count: 3 },
    { kind: 'wrong_signature', count: 3 },
    { kind: 'stale_timestamp', count: 3 },
  ]) {
    test(`has notifications with ${fault.kind}, the order is told the payment’s real state`, async () => {
      const count = fault.kind === 'reorder' || fault.kind === 'delay' ? {} : { count: 20 }
      await breakBy({ target: 'webhook', ...count, ...fault })
      const { orderId, redirectUrl } = await opened()
      await payAt(redirectUrl)
      const intent = await intentOf(redirectUrl)
      for (const amount of [100, 200]) {
        await service.inspect('POST', 'dashboard/refunds', { payment_intent: intent, amount })
      }
      await isQuiet()
      await service.inspect('DELETE', 'faults')
      const state = service.toldOf(orderId)
      assert.equal(state?.phase, 'PAYMENT_PHASE_CAPTURED')
      assert.deepEqual(state.refunds.map(({ amountMinor }) => amountMinor).sort(), [100, 200])
      const revisions = service.settled
        .filter((told) => told.orderId === orderId)
        .map((told) => told.state.revision)
      assert.ok(Math.max(...revisions) <= 3)
    })
  }

  test('signs by another secret while one replaces the other, notifications still come through', async () => {
    await service.inspect('POST', 'webhook-secrets', { secrets: ['whsec_of_the_next_quarter'] })
    await paid()
    const both = ['whsec_of_the_next_quarter', 'whsec_0123456789abcdef']
    await service.inspect('POST', 'webhook-secrets', { secrets: both })
    await paid()
    await service.inspect('POST', 'webhook-secrets', { secrets: both.slice(1) })
    await paid()
  })

  for (const fault of [
    { kind: 'error_before', count: 2 },
    { kind: 'error_after', count: 2 },
    { kind: 'sticky_error_after', count: 1 },
    { kind: 'reset_before', count: 2 },
    { kind: 'reset_after', count: 2 },
    { kind: 'idempotency_in_use', count: 2 },
    { kind: 'rate_limit', count: 2 },
    { kind: 'lock_timeout', count: 2 },
  ]) {
    test(`answers ${fault.kind} to a new session, there is one session in the end`, async () => {
      const asked = aRequest()
      await breakBy({ target: 'api', match: 'checkout.sessions.create', ...fault })
      const { redirectUrl } = await eventually(() => service.client.createPayment(asked))
      const { data } = await service.stripe.checkout.sessions.list({ limit: 20 })
      const made = data.filter((each) => each.client_reference_id === asked.orderId)
      assert.deepEqual(
        made.map(({ id }) => id),
        [sessionOf(redirectUrl)],
      )
    })

    test(`answers ${fault.kind} to a refund, the money goes back once`, async () => {
      const { orderId, intentId } = await paid()
      await breakBy({ target: 'api', match: 'refunds.create', ...fault })
      const refund = { orderId, refundId: uuidv7(), amountMinor: 700, reason: 'broken' }
      const { state } = await eventually(() => service.client.refundPayment(refund))
      assert.deepEqual(
        state.refunds.map(({ amountMinor, phase }) => [amountMinor, phase]),
        [[700, 'REFUND_PHASE_SUCCEEDED']],
      )
      const { data } = await service.stripe.refunds.list({ payment_intent: intentId })
      assert.deepEqual(
        data.map(({ amount, metadata }) => [amount, metadata?.refund_id]),
        [[700, refund.refundId]],
      )
    })
  }

  test('does not answer after a refund, the money goes back once', async () => {
    const { orderId, intentId } = await paid()
    const fault = { kind: 'timeout_after', match: 'refunds.create', count: 1 }
    await breakBy({ target: 'api', ...fault })
    const refund = { orderId, refundId: uuidv7(), amountMinor: 700, reason: '' }
    const { state } = await service.client.refundPayment(refund)
    assert.equal(state.refunds.length, 1)
    const { data } = await service.stripe.refunds.list({ payment_intent: intentId })
    assert.equal(data.length, 1)
  })

  test('limits our rate, the caller hears when to come again', async () => {
    const fault = { kind: 'rate_limit', match: 'checkout.sessions.create', retry_after: 9 }
    await breakBy({ target: 'api', ...fault })
    await assert.rejects(service.client.createPayment(aRequest()), {
      kind: 'unavailable',
      code: 'PROVIDER_UNAVAILABLE',
      retryAfterSeconds: 9,
    })
  })

  test('is down while money of a dead order must go back, its notification comes again', async () => {
    const { orderId, redirectUrl } = await opened()
    service.dead.add(orderId)
    await breakBy({ target: 'api', kind: 'error_after', match: 'refunds.*' })
    await payAt(redirectUrl)
    const intent = await intentOf(redirectUrl)
    const refunds = async () =>
      (await service.stripe.refunds.list({ payment_intent: intent })).data.length
    await eventually(() => service.settled.filter((told) => told.orderId === orderId).length > 2)
    await service.inspect('DELETE', 'faults')
    // The provider waits longer before each time that it tells again.
    await eventually(
      () => {
        const phases = service.toldOf(orderId)?.refunds.map(({ phase }) => phase)
        return phases?.length === 1 && phases[0] === 'REFUND_PHASE_SUCCEEDED'
      },
      { limitMs: 30_000 },
    )
    assert.equal(await refunds(), 1)
  })

  test('fails after it has ended a session, cancelling again says so', async () => {
    const { orderId } = await opened()
    await breakBy({
      target: 'api',
      kind: 'error_after',
      match: 'checkout.sessions.expire',
      count: 2,
    })
    const { state } = await eventually(() => service.client.cancelPayment({ orderId }))
    assert.equal(state.phase, 'PAYMENT_PHASE_ENDED')
  })
})
