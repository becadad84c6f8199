import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { sql } from '@halles/kit/database'
import { AppError } from '@halles/kit/errors'
import { uuidv7 } from '@halles/kit/ids'
import { outboxSchema } from '@halles/kit/outbox'
import { createTestDatabase } from '@halles/kit/testing'
import type { Order } from '../src/domain/order.ts'
import type { Payments } from '../src/ports.ts'
import { createCheckoutStore } from '../src/store/checkouts.ts'
import { createOrderStore } from '../src/store/orders.ts'
import { cancelOrder, expireOrders, finishCancellations } from '../src/use-cases/cancel-order.ts'
import { placeOrder } from '../src/use-cases/place-order.ts'
import { listOrders } from '../src/use-cases/read-orders.ts'
import { settlePayment } from '../src/use-cases/settle-payment.ts'
import { aCommand, fakeNeighbours, gbp, testDeps } from './fixtures.ts'

const { database, drop } = await createTestDatabase({
  directory: new URL('../migrations', import.meta.url).pathname,
  schemas: [outboxSchema],
})
after(drop)

const orders = createOrderStore(database)
const stores = { orders, checkouts: createCheckoutStore(database, { orders }) }
const selectEvents = sql(
  'test.events',
  `select message->>'type' as type, (message->'data'->>'version')::int as version from outbox
   where partition_key = $1 order by id`,
)
const eventsOf = async ({ id }: Order) =>
  (await database.query<{ type: string; version: number }>(selectEvents, [id])).map(
    ({ type, version }) => `${type.split('.')[2]} ${version}`,
  )

async function aPlacedOrder() {
  const neighbours = fakeNeighbours()
  const deps = testDeps(stores, neighbours)
  const order = await placeOrder(deps, aCommand({ customerId: uuidv7() }))
  const notice = { orderId: order.id, paymentId: order.payment.id, amount: gbp(2_500) }
  const pay = () => {
    const payment = neighbours.made.get(order.id)
    if (payment?.status === 'open') payment.status = 'paid'
    return settlePayment(deps, { ...notice, outcome: 'paid' })
  }
  const current = async () => (await orders.find(order.id)) ?? assert.fail('the order is gone')
  return { neighbours, deps, order, notice, pay, current }
}

test('a payment told twenty times at once makes the order paid once', async () => {
  const { order, pay, current } = await aPlacedOrder()
  const told = await Promise.all(Array.from({ length: 20 }, pay))
  assert.equal(told.filter((outcome) => outcome === 'applied').length, 1)
  assert.equal(told.filter((outcome) => outcome === 'duplicate').length, 19)
  assert.equal((await current()).status, 'paid')
  assert.deepEqual(await eventsOf(order), ['order-placed 1', 'order-paid 2'])
})

test('an expiry that comes after the payment does not regress the order', async () => {
  const { deps, notice, pay, current } = await aPlacedOrder()
  await pay()
  assert.equal(await settlePayment(deps, { ...notice, outcome: 'expired' }), 'duplicate')
  assert.equal((await current()).status, 'paid')
})

test('a cancellation and a payment at the same time end in one consistent result', async () => {
  for (let round = 0; round < 20; round += 1) {
    const { neighbours, deps, order, pay, current } = await aPlacedOrder()
    const [told, cancelled] = await Promise.all([
      pay(),
      cancelOrder(deps, { orderId: order.id, reason: null }),
    ])
    const end = await current()
    assert.equal(end.status, 'cancelled')
    assert.equal(cancelled.status, 'cancelled')
    // Kept money of a cancelled order would be neither refunded by payments nor told as due.
    assert.ok(neighbours.refunded.has(order.id) || told === 'refund-due')
    assert.equal(end.payment.status, 'refunded')
    const events = await eventsOf(order)
    assert.equal(events.filter((event) => event.startsWith('order-cancelled')).length, 1)
    assert.match(events.at(-1) ?? '', /^order-cancelled/)
  }
})

test('a paid order that is cancelled is refunded, and cancelling it again answers it again', async () => {
  const { neighbours, deps, order, pay } = await aPlacedOrder()
  await pay()
  const cancelled = await cancelOrder(deps, { orderId: order.id, reason: 'too late' })
  assert.equal(cancelled.status, 'cancelled')
  assert.equal(cancelled.payment.status, 'refunded')
  assert.ok(neighbours.refunded.has(order.id))
  assert.deepEqual(await cancelOrder(deps, { orderId: order.id, reason: null }), cancelled)
  assert.deepEqual(await eventsOf(order), ['order-placed 1', 'order-paid 2', 'order-cancelled 3'])
})

test('a cancellation that payments could not take is told as such and completed by the job', async () => {
  const { deps, order, current } = await aPlacedOrder()
  const deaf: Payments = {
    ...deps.payments,
    cancelPayment: async () => {
      throw new AppError('unavailable', 'UPSTREAM_UNAVAILABLE', 'Down.')
    },
  }
  await assert.rejects(
    cancelOrder({ ...deps, payments: deaf }, { orderId: order.id, reason: null }),
    {
      kind: 'unavailable',
      code: 'PAYMENTS_UNAVAILABLE',
    },
  )
  assert.equal((await current()).status, 'pending_payment')
  assert.equal(await finishCancellations(deps, new Date(Date.now() + 1_000)), 1)
  assert.equal((await current()).status, 'cancelled')
})

test('an unpaid order is cancelled when its time is over, without the provider’s word', async () => {
  const { neighbours, deps, order, current } = await aPlacedOrder()
  const { expiresAt } = order.payment
  await expireOrders(deps, new Date(expiresAt.getTime() - 1_000))
  assert.equal((await current()).status, 'pending_payment')
  const later = new Date(expiresAt.getTime() + 60_000)
  await expireOrders({ ...deps, clock: () => later }, later)
  assert.equal((await current()).status, 'cancelled')
  assert.equal(neighbours.open(), 0)
})

test('a customer’s orders are listed newest first, page by page', async () => {
  const deps = testDeps(stores, fakeNeighbours())
  const customerId = uuidv7()
  const placed: string[] = []
  for (let n = 0; n < 5; n += 1) placed.push((await placeOrder(deps, aCommand({ customerId }))).id)
  // Orders of the same millisecond have no order among themselves but that of their ids.
  placed.sort().reverse()
  const listed: string[] = []
  let before: string | undefined
  do {
    const page = await listOrders(deps, { customerId, status: undefined, before, limit: 2 })
    listed.push(...page.items.map(({ id }) => id))
    before = page.nextId
  } while (before)
  assert.deepEqual(listed, placed)
  const paid = { customerId, status: 'paid' as const, before: undefined, limit: 2 }
  assert.deepEqual((await listOrders(deps, paid)).items, [])
  const all = { customerId: undefined, status: undefined, before: undefined, limit: 3 }
  assert.deepEqual(
    (await listOrders(deps, all)).items.map(({ id }) => id),
    placed.slice(0, 3),
  )
  const unpaid = { ...all, status: 'pending_payment' as const }
  assert.equal((await listOrders(deps, unpaid)).items.length, 3)
})

test('an order whose payment is still being decided does not hold up the expiry of others', async () => {
  const stuck = await aPlacedOrder()
  const other = await aPlacedOrder()
  const undecided: Payments = {
    ...other.deps.payments,
    async cancelPayment(orderId) {
      if (orderId === other.order.id) return other.deps.payments.cancelPayment(orderId)
      throw new AppError('conflict', 'PAYMENT_PROCESSING', 'Not decided yet.')
    },
  }
  const later = new Date(Date.now() + 60 * 60_000)
  await expireOrders({ ...other.deps, payments: undecided, clock: () => later }, later)
  assert.equal((await other.current()).status, 'cancelled')
  assert.equal((await stuck.current()).status, 'pending_payment')
  assert.equal(await settlePayment(stuck.deps, { ...stuck.notice, outcome: 'paid' }), 'refund-due')
  assert.equal((await stuck.current()).status, 'cancelled')
})
