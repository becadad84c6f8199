import assert from 'node:assert/strict'
import { after, afterEach, before, describe, test } from 'node:test'
import type { Finding, Reconciliation } from '@halles/contracts/gen/http/payments'
import { sql } from '@halles/kit/database'
import { AppError } from '@halles/kit/errors'
import { uuidv7 } from '@halles/kit/ids'
import { eventually } from '@halles/kit/testing'
import { aRequest, payAt, startService } from './service.ts'

const moveSession = sql(
  'test.move_session',
  'update payments set session_id = $2 where order_id = $1',
)
const forget = sql('test.forget_payment', 'delete from payments where order_id = $1')
const makeOld = sql(
  'test.make_old',
  `update payments set created_at = now() - interval '60 days' where order_id = $1`,
)
const setCaptured = sql(
  'test.set_captured',
  'update payments set captured_minor = $2, revision = revision + 1 where order_id = $1',
)

describe('reconciliation', () => {
  let service: Awaited<ReturnType<typeof startService>>
  let as: string

  before(async () => {
    service = await startService()
    as = service.authority.bearer(uuidv7(), ['operator'])
  })
  afterEach(async () => {
    service.play.settle = undefined
    await service.inspect('DELETE', 'faults')
  })
  after(() => service.stop())

  const sessionOf = (url: string) => /cs_\w+/.exec(url)?.[0] ?? ''

  async function intentOf(url: string) {
    const session = await service.stripe.checkout.sessions.retrieve(sessionOf(url))
    return String(session.payment_intent)
  }

  /** A payment that was paid while no notification arrives. */
  async function paidUnheard() {
    await service.inspect('POST', 'faults', { target: 'webhook', kind: 'lose' })
    const asked = aRequest()
    const { redirectUrl, paymentId } = await service.client.createPayment(asked)
    await payAt(redirectUrl)
    await eventually(async () => {
      const state = await service.inspect<{ deliveries: { waiting: number } }>('GET', 'state')
      return state.deliveries.waiting === 0
    })
    return { orderId: asked.orderId, redirectUrl, paymentId }
  }

  async function compare(): Promise<Reconciliation> {
    const from = new Date(Date.now() - 600_000).toISOString()
    const to = new Date(Date.now() + 2_000).toISOString()
    const whole = { compared: 0, repaired: 0, findings: [] as Finding[] }
    let cursor: string | null = null
    do {
      const body = { from, to, ...(cursor === null ? {} : { cursor }) }
      const answer = await service.call('POST', 'reconciliations', { as, body })
      assert.equal(answer.status, 200, JSON.stringify(answer.body))
      const report = answer.body as unknown as Reconciliation
      whole.compared += report.compared
      whole.repaired += report.repaired
      whole.findings.push(...report.findings)
      cursor = report.nextCursor
    } while (cursor !== null)
    return { from, to, ...whole, nextCursor: null }
  }

  async function listed(): Promise<Finding[]> {
    const { status, body } = await service.call('GET', 'findings?limit=100', { as })
    assert.equal(status, 200)
    return body.items as Finding[]
  }

  const about = (findings: readonly Finding[], orderId: string) =>
    findings.filter((finding) => finding.orderId === orderId).map(({ kind }) => kind)

  test('a missed notification is repaired, and the second time there is nothing to do', async () => {
    const { orderId } = await paidUnheard()
    assert.equal(service.toldOf(orderId), undefined)
    const first = await compare()
    assert.ok(first.repaired >= 1)
    assert.equal(service.toldOf(orderId)?.phase, 'PAYMENT_PHASE_CAPTURED')
    const second = await compare()
    assert.deepEqual([second.repaired, second.findings], [0, []])
    assert.equal(second.compared, first.compared)
  })

  test('refunds and disputes of which nobody told are told to orders', async () => {
    const { orderId, redirectUrl } = await paidUnheard()
    const asked = { payment_intent: await intentOf(redirectUrl) }
    await service.inspect('POST', 'dashboard/refunds', { ...asked, amount: 100 })
    await service.inspect('POST', 'dashboard/disputes', { ...asked, amount: 400 })
    await compare()
    const state = service.toldOf(orderId)
    assert.deepEqual(
      [state?.refunds[0]?.amountMinor, state?.disputes[0]?.phase],
      [100, 'DISPUTE_PHASE_OPEN'],
    )
  })

  test('what a bank does with a payment of long ago is found by its undelivered notification', async () => {
    const { orderId, redirectUrl } = await paidUnheard()
    await compare()
    const asked = { payment_intent: await intentOf(redirectUrl) }
    await service.database.run(makeOld, [orderId])
    // The window does not reach back to the payment itself: the provider counts in seconds.
    const from = Math.floor(Date.now() / 1_000) * 1_000 + 1_000
    await eventually(() => Date.now() >= from)
    await service.inspect('POST', 'dashboard/disputes', { ...asked, amount: 400 })
    await eventually(() => Date.now() >= from + 1_000)
    const body = { from: new Date(from).toISOString() }
    await service.call('POST', 'reconciliations', { as, body })
    assert.equal(service.toldOf(orderId)?.disputes[0]?.phase, 'DISPUTE_PHASE_OPEN')
  })

  test('money of an order that is not there is found until it is', async () => {
    const { orderId } = await paidUnheard()
    service.play.settle = (request) => {
      if (request.orderId !== orderId) return 'SETTLEMENT_DUPLICATE'
      throw new AppError('not-found', 'ORDER_NOT_FOUND', 'There is no such order.')
    }
    assert.deepEqual(about((await compare()).findings, orderId), ['paid-without-order'])
    assert.deepEqual(about(await listed(), orderId), ['paid-without-order'])
    service.play.settle = undefined
    await compare()
    assert.deepEqual(about(await listed(), orderId), [])
  })

  test('money in a session of which we know nothing is found', async () => {
    const { orderId } = await paidUnheard()
    await service.database.run(forget, [orderId])
    assert.deepEqual(about((await compare()).findings, orderId), ['paid-without-order'])
    assert.deepEqual(about(await listed(), orderId), ['paid-without-order'])
  })

  test('a payment that the provider does not know is found', async () => {
    const asked = aRequest()
    const { redirectUrl } = await service.client.createPayment(asked)
    await service.database.run(moveSession, [asked.orderId, 'cs_test_unknown'])
    assert.deepEqual(about((await compare()).findings, asked.orderId), ['order-without-payment'])
    await service.database.run(moveSession, [asked.orderId, sessionOf(redirectUrl)])
    await compare()
    assert.deepEqual(about(await listed(), asked.orderId), [])
  })

  test('another amount than the provider has taken is found', async () => {
    const { orderId } = await paidUnheard()
    await compare()
    await service.database.run(setCaptured, [orderId, 9_999])
    assert.deepEqual(about((await compare()).findings, orderId), ['amount-mismatch'])
    await service.database.run(setCaptured, [orderId, 2_500])
    await compare()
    assert.deepEqual(about(await listed(), orderId), [])
  })

  test('a refund by transfer waits for a person', async () => {
    const asked = aRequest({ method: 'PAYMENT_METHOD_BANK_TRANSFER' })
    const { orderId } = asked
    const subjectId = uuidv7()
    await service.client.createPayment(asked)
    await service.client.recordReceipt({
      ...{ orderId, amountMinor: 2_500, currency: 'GBP', reference: '1', subjectId },
    })
    const refundId = uuidv7()
    await service.client.refundPayment({ orderId, refundId, amountMinor: 500, reason: '' })
    assert.deepEqual(about((await compare()).findings, orderId), ['refund-to-send'])
    const staff = service.authority.bearer(subjectId, ['staff'])
    await service.call('POST', `refunds/${refundId}/sent`, { as: staff })
    await compare()
    assert.deepEqual(about(await listed(), orderId), [])
  })

  test('money that came while orders was away is told when it is back', async () => {
    const { orderId } = await paidUnheard()
    service.play.settle = () => {
      throw new AppError('unavailable', 'DATABASE_UNAVAILABLE', 'Down.')
    }
    const body = { from: new Date(Date.now() - 600_000).toISOString() }
    const failed = await service.call('POST', 'reconciliations', { as, body })
    assert.deepEqual([failed.status, failed.body.code], [503, 'ORDERS_UNAVAILABLE'])
    service.play.settle = undefined
    await compare()
    assert.equal(service.toldOf(orderId)?.phase, 'PAYMENT_PHASE_CAPTURED')
  })

  test('an order that cannot be told yet does not hold up the others', async () => {
    const other = await paidUnheard()
    const stuck = await paidUnheard()
    service.play.settle = ({ orderId }) => {
      if (orderId !== stuck.orderId) return 'SETTLEMENT_APPLIED'
      throw new AppError('unavailable', 'CHECKOUT_IN_PROGRESS', 'Being placed.')
    }
    await compare()
    assert.equal(service.toldOf(other.orderId)?.phase, 'PAYMENT_PHASE_CAPTURED')
    service.play.settle = undefined
    await compare()
  })

  test('only operators compare, and only a window that is one', async () => {
    const now = new Date().toISOString()
    const staff = service.authority.bearer(uuidv7(), ['staff'])
    for (const [caller, body, status] of [
      [staff, { from: now }, 403],
      [as, { from: now, to: now }, 400],
      [as, { from: now, to: 'tomorrow' }, 400],
      [as, { from: '2020-01-01T00:00:00Z', cursor: 'nonsense' }, 400],
    ] as const) {
      const answer = await service.call('POST', 'reconciliations', { as: caller, body })
      assert.equal(answer.status, status, JSON.stringify(answer.body))
    }
    assert.equal((await service.call('GET', 'findings', { as: staff })).status, 403)
  })
})

test('the job finds by itself what nobody told, however the notification was lost', async (t) => {
  const service = await startService({ times: { reconcileEveryMs: 200 } })
  t.after(() => service.stop())
  await service.inspect('POST', 'faults', { target: 'webhook', kind: 'lose' })
  const asked = aRequest()
  const { redirectUrl } = await service.client.createPayment(asked)
  await payAt(redirectUrl)
  await eventually(() => service.toldOf(asked.orderId)?.phase === 'PAYMENT_PHASE_CAPTURED')
})
