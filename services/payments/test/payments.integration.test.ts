import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { sql } from '@halles/kit/database'
import { AppError } from '@halles/kit/errors'
import { uuidv7 } from '@halles/kit/ids'
import { createTestDatabase } from '@halles/kit/testing'
import type { Settlement } from '../src/domain.ts'
import { createEventStore } from '../src/store/events.ts'
import { createPaymentStore } from '../src/store/payments.ts'
import { cancelPayment } from '../src/use-cases/cancel-payment.ts'
import { createPayment } from '../src/use-cases/create-payment.ts'
import { receiveEvent } from '../src/use-cases/receive-event.ts'
import {
  anEvent,
  delivered,
  fakeOrders,
  fakeProvider,
  gbp,
  someTerms,
  testDeps,
} from './fixtures.ts'

const { database, drop } = await createTestDatabase({
  directory: new URL('../migrations', import.meta.url).pathname,
})
after(drop)

const stores = { payments: createPaymentStore(database), events: createEventStore(database) }
const selectPayment = sql(
  'test.payment',
  'select status, refund_id as "refundId" from payments where order_id = $1',
)
const selectEvent = sql(
  'test.event',
  'select outcome, attempts, last_failure as "lastFailure" from provider_events where id = $1',
)
const paymentOf = (orderId: string) =>
  database.one<{ status: string; refundId: string | null }>(selectPayment, [orderId], missing)
const eventOf = ({ id }: { id: string }) =>
  database.one<{ outcome: string; attempts: number; lastFailure: string }>(
    selectEvent,
    [id],
    missing,
  )
const missing = () => new Error('there is no such row')

function setUp(answer?: () => Settlement | AppError) {
  const fake = { ...fakeProvider(), ...fakeOrders(answer) }
  const orderId = uuidv7()
  return { ...fake, orderId, deps: testDeps(stores, fake), terms: { orderId, ...someTerms() } }
}

test('an order’s payment is created once, however often and at once it is asked for', async () => {
  const { deps, terms, sessions } = setUp()
  const made = await Promise.all(Array.from({ length: 20 }, () => createPayment(deps, terms)))
  assert.equal(new Set(made.map(({ paymentId }) => paymentId)).size, 1)
  assert.equal(new Set(made.map(({ redirectUrl }) => redirectUrl)).size, 1)
  assert.equal(sessions.size, 1)
  const other = { ...terms, amount: gbp(1_250), lines: [{ ...terms.lines[0], quantity: 1 }] }
  await assert.rejects(createPayment(deps, other as typeof terms), { code: 'PAYMENT_MISMATCH' })
  const wrong = { ...terms, amount: gbp(1) }
  await assert.rejects(createPayment(deps, wrong), { code: 'PAYMENT_LINES_MISMATCH' })
})

test('a payment whose answer was lost gets the same session', async () => {
  const { deps, terms, sessions } = setUp()
  const { provider } = deps
  const lost = {
    ...deps,
    provider: {
      ...provider,
      async createSession(payment: Parameters<typeof provider.createSession>[0]) {
        await provider.createSession(payment)
        throw new AppError('unavailable', 'PROVIDER_UNAVAILABLE', 'Gone.')
      },
    },
  }
  await assert.rejects(createPayment(lost, terms), { code: 'PROVIDER_UNAVAILABLE' })
  const { redirectUrl } = await createPayment(deps, terms)
  assert.equal(sessions.get(terms.orderId)?.url, redirectUrl)
})

test('cancelling ends an open session, and no payment can follow', async () => {
  const { deps, terms, orderId, sessions } = setUp()
  await createPayment(deps, terms)
  assert.equal(await cancelPayment(deps, orderId), 'cancelled')
  assert.equal(sessions.get(orderId)?.state.status, 'expired')
  assert.equal(await cancelPayment(deps, orderId), 'cancelled')
  await assert.rejects(createPayment(deps, terms), { code: 'PAYMENT_CANCELLED' })
})

test('cancelling before the payment was asked for refuses it for good', async () => {
  const { deps, terms, orderId, calls } = setUp()
  assert.equal(await cancelPayment(deps, orderId), 'cancelled')
  await assert.rejects(createPayment(deps, terms), { code: 'PAYMENT_CANCELLED' })
  assert.deepEqual(calls, [])
})

test('cancelling while the session is being made leaves no open session', async () => {
  const { deps, terms, orderId, sessions } = setUp()
  const { provider } = deps
  const racing = {
    ...deps,
    provider: {
      ...provider,
      async createSession(payment: Parameters<typeof provider.createSession>[0]) {
        const session = await provider.createSession(payment)
        assert.equal(await cancelPayment(deps, orderId), 'cancelled')
        return session
      },
    },
  }
  await assert.rejects(createPayment(racing, terms), { code: 'PAYMENT_CANCELLED' })
  assert.equal(sessions.get(orderId)?.state.status, 'expired')
})

test('cancelling a payment that was made meanwhile returns the money, once', async () => {
  const { deps, terms, orderId, pay, refunds } = setUp()
  const { paymentId } = await createPayment(deps, terms)
  pay(orderId)
  const ended = await Promise.all(Array.from({ length: 5 }, () => cancelPayment(deps, orderId)))
  assert.deepEqual(new Set(ended), new Set(['refunded']))
  assert.equal(refunds.size, 1)
  assert.deepEqual(await paymentOf(orderId), {
    status: 'refunded',
    refundId: refunds.get(paymentId),
  })
})

test('an event that was applied is answered again without asking orders', async () => {
  const { deps, terms, orderId, settled } = setUp()
  const { paymentId } = await createPayment(deps, terms)
  const event = anEvent({ orderId, paymentId })
  assert.equal(await receiveEvent(deps, delivered(event)), 'applied')
  assert.equal(await receiveEvent(deps, delivered(event)), 'duplicate')
  assert.equal(settled.length, 1)
  assert.equal((await paymentOf(orderId)).status, 'paid')
  assert.deepEqual(await eventOf(event), { outcome: 'applied', attempts: 2, lastFailure: null })
})

test('an event that orders could not take stays retriable, and is applied when orders is back', async () => {
  let isDown = true
  const outage = new AppError('unavailable', 'UPSTREAM_UNAVAILABLE', 'Down.')
  const { deps } = setUp(() => (isDown ? outage : 'applied'))
  const event = anEvent()
  const refused = { kind: 'unavailable', code: 'ORDERS_UNAVAILABLE' }
  await assert.rejects(receiveEvent(deps, delivered(event)), refused)
  await assert.rejects(receiveEvent(deps, delivered(event)), refused)
  assert.deepEqual(await eventOf(event), {
    outcome: null,
    attempts: 2,
    lastFailure: 'ORDERS_UNAVAILABLE',
  })
  isDown = false
  assert.equal(await receiveEvent(deps, delivered(event)), 'applied')
})

test('an event whose mark was lost after its effect is applied again without harm', async () => {
  const { deps, terms, orderId, settled } = setUp()
  const { paymentId } = await createPayment(deps, terms)
  const event = anEvent({ orderId, paymentId })
  const crashed = {
    ...deps,
    events: {
      ...deps.events,
      conclude: async () => {
        throw new Error('the process was killed')
      },
    },
  }
  await assert.rejects(receiveEvent(crashed, delivered(event)))
  assert.equal(await receiveEvent(deps, delivered(event)), 'applied')
  assert.equal(settled.length, 2)
})

test('an event that orders refuses for good is refused the same ever after', async () => {
  const { deps, settled } = setUp(() => new AppError('conflict', 'PAYMENT_MISMATCH', 'Another.'))
  const event = anEvent()
  const refused = { kind: 'conflict', code: 'PAYMENT_MISMATCH', message: 'Another.' }
  await assert.rejects(receiveEvent(deps, delivered(event)), refused)
  await assert.rejects(receiveEvent(deps, delivered(event)), refused)
  assert.equal(settled.length, 1)
})

test('money for a dead order is returned once, also when the first try fails half-way', async () => {
  const { deps, terms, orderId, refunds } = setUp(() => 'refund-due')
  const { paymentId } = await createPayment(deps, terms)
  const event = anEvent({ orderId, paymentId })
  const failing = {
    ...deps,
    payments: {
      ...deps.payments,
      recordRefund: async () => {
        throw new AppError('unavailable', 'DATABASE_UNAVAILABLE', 'Down.')
      },
    },
  }
  await assert.rejects(receiveEvent(failing, delivered(event)), { code: 'DATABASE_UNAVAILABLE' })
  assert.equal(await receiveEvent(deps, delivered(event)), 'applied')
  assert.equal(refunds.size, 1)
  assert.equal((await paymentOf(orderId)).status, 'refunded')
})

test('an event of another kind is kept and ignored', async () => {
  const { deps, settled } = setUp()
  const event = { ...anEvent(), type: 'charge.updated', notice: null }
  assert.equal(await receiveEvent(deps, delivered(event)), 'ignored')
  assert.equal(await receiveEvent(deps, delivered(event)), 'ignored')
  assert.equal(settled.length, 0)
})
