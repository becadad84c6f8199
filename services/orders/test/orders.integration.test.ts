import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { sql } from '@halles/kit/database'
import { AppError } from '@halles/kit/errors'
import { uuidv7 } from '@halles/kit/ids'
import { outboxSchema } from '@halles/kit/outbox'
import { createTestDatabase } from '@halles/kit/testing'
import type { LineQuantity, Order } from '../src/domain/order.ts'
import { paymentStatusOf } from '../src/domain/payment.ts'
import { replayTimeline, summarize } from '../src/domain/timeline.ts'
import type { Deps, Payments } from '../src/ports.ts'
import { createCheckoutStore } from '../src/store/checkouts.ts'
import { createOrderStore } from '../src/store/orders.ts'
import { createUnfinishedStore } from '../src/store/unfinished.ts'
import { cancelOrder, expireOrders, finishCancellations } from '../src/use-cases/cancel-order.ts'
import { checkPayment, recordReceipt } from '../src/use-cases/check-payment.ts'
import { fulfilOrder, recordDelivery } from '../src/use-cases/fulfil-order.ts'
import { placeOrder } from '../src/use-cases/place-order.ts'
import { listOrders } from '../src/use-cases/read-orders.ts'
import { finishRefunds, refundOrder } from '../src/use-cases/refund-order.ts'
import { resumeOrder } from '../src/use-cases/resume-order.ts'
import { settlePayment } from '../src/use-cases/settle-payment.ts'
import { fakeNeighbours } from './fake-neighbours.ts'
import { aCommand, aLine, gbp, provider, shopper, staff, testDeps } from './fixtures.ts'

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
const selectReturned = sql(
  'test.returned',
  `select message->'data'->'returned' as returned from outbox
   where partition_key = $1 and message->>'type' = 'halles.orders.order-refunded.v1'`,
)
const eventsOf = async ({ id }: Order) =>
  (await database.query<{ type: string; version: number }>(selectEvents, [id])).map(
    ({ type, version }) => `${type.split('.')[2]} ${version}`,
  )

async function aPlacedOrder(options: { quantity?: number; method?: 'bank_transfer' } = {}) {
  const { quantity = 2, method = 'online' } = options
  const neighbours = fakeNeighbours([aLine(gbp(1_250), quantity)])
  const { money } = neighbours
  const deps = testDeps(stores, neighbours)
  const command = aCommand({
    customerId: uuidv7(),
    expectedTotal: gbp(1_250 * quantity),
    paymentMethod: method,
  })
  const order = await placeOrder(deps, command)
  const { id } = order
  const tell = (using: Deps = deps) =>
    settlePayment(using, {
      orderId: id,
      state: money.find(id),
      actor: provider,
      cause: 'event:evt_1',
    })
  const pay = () => {
    money.pay(id)
    return tell()
  }
  const current = async () => (await orders.find(id)) ?? assert.fail('the order is gone')
  const explained = async () => {
    const entries = await orders.timeline(id)
    const now = await current()
    assert.deepEqual(replayTimeline(entries), summarize(now))
    assert.equal(entries.at(-1)?.seq, now.version)
    return entries.map(({ what }) => what)
  }
  const refund = (changes: Partial<Parameters<typeof refundOrder>[1]['refund']> = {}) =>
    refundOrder(deps, {
      orderId: id,
      refund: {
        id: uuidv7(),
        lines: [],
        amount: gbp(100),
        isReturned: false,
        reason: null,
        ...changes,
      },
      actor: staff,
      cause: 'key:abc',
    })
  const pieces = (count: number): LineQuantity[] => [
    { variantId: order.lines[0]?.variantId ?? '', quantity: count },
  ]
  const fulfil = async (count: number, fulfilmentId = uuidv7()) =>
    fulfilOrder(deps, {
      order: await current(),
      fulfilment: { id: fulfilmentId, lines: pieces(count), carrier: 'DHL', trackingNumber: null },
      actor: staff,
      cause: 'key:def',
    })
  const cancel = (using: Deps = deps) =>
    cancelOrder(using, { orderId: id, reason: null, actor: shopper })
  return {
    neighbours,
    money,
    deps,
    order,
    tell,
    pay,
    current,
    explained,
    refund,
    pieces,
    fulfil,
    cancel,
  }
}

const down = async () => {
  throw new AppError('unavailable', 'UPSTREAM_UNAVAILABLE', 'Down.')
}
const soon = () => new Date(Date.now() + 1_000)

test('a payment told twenty times at once makes the order paid once', async () => {
  const { order, pay, current, explained } = await aPlacedOrder()
  const told = await Promise.all(Array.from({ length: 20 }, pay))
  assert.equal(told.filter((outcome) => outcome === 'applied').length, 1)
  assert.equal(told.filter((outcome) => outcome === 'duplicate').length, 19)
  assert.equal((await current()).status, 'paid')
  assert.deepEqual(await eventsOf(order), ['order-placed 1', 'order-paid 2'])
  assert.deepEqual(await explained(), ['placed', 'paid'])
  const [placed, paid] = await orders.timeline(order.id)
  assert.deepEqual(placed?.actor, { kind: 'shopper', subjectId: order.customerId })
  assert.equal(paid?.cause, 'event:evt_1')
})

test('an order is kept as it was decided, with all that belongs to it', async () => {
  const { pay, fulfil, refund, current, pieces, deps, order } = await aPlacedOrder({ quantity: 3 })
  assert.deepEqual(await current(), order)
  await pay()
  await fulfil(1)
  const decided = await refund({ lines: pieces(1), amount: undefined, isReturned: true })
  assert.deepEqual(await current(), decided)
  const [fulfilment] = decided.fulfilments
  const delivered = await recordDelivery(deps, {
    orderId: order.id,
    fulfilmentId: fulfilment?.id ?? '',
    actor: staff,
  })
  assert.deepEqual(await current(), delivered)
  assert.equal(delivered.status, 'partly_fulfilled')
})

test('a cancellation and a payment at the same time end in one consistent result', async () => {
  for (let round = 0; round < 20; round += 1) {
    const { money, order, pay, current, cancel, tell, explained } = await aPlacedOrder()
    const [told, cancelled] = await Promise.all([pay(), cancel()])
    assert.equal(cancelled.status, 'cancelled')
    if (told === 'refund-due') {
      money.returnAll(order.id)
      await tell()
    }
    const end = await current()
    assert.equal(end.status, 'cancelled')
    assert.equal(money.keptMinor(order.id), 0)
    assert.ok(['refunded', 'cancelled'].includes(paymentStatusOf(end)))
    const events = await eventsOf(order)
    assert.equal(events.filter((event) => event.startsWith('order-cancelled')).length, 1)
    await explained()
  }
})

test('a paid order that is cancelled is refunded, and cancelling it again answers it again', async () => {
  const { money, order, pay, cancel, current, explained } = await aPlacedOrder()
  await pay()
  const cancelled = await cancel()
  assert.deepEqual([cancelled.status, paymentStatusOf(cancelled)], ['cancelled', 'refunded'])
  assert.equal(money.keptMinor(order.id), 0)
  assert.deepEqual(await cancel(), cancelled)
  assert.deepEqual(await current(), cancelled)
  assert.deepEqual(await explained(), [
    'placed',
    'paid',
    'cancellation-requested',
    'refund-succeeded',
    'cancelled',
  ])
})

test('a cancellation that payments could not take is told as such and completed by the job', async () => {
  const { deps, cancel, current } = await aPlacedOrder()
  const deaf: Payments = { ...deps.payments, cancelPayment: down }
  await assert.rejects(cancel({ ...deps, payments: deaf }), {
    kind: 'unavailable',
    code: 'PAYMENTS_UNAVAILABLE',
  })
  assert.equal((await current()).status, 'pending_payment')
  assert.equal(await finishCancellations(deps, soon()), 1)
  assert.equal((await current()).status, 'cancelled')
})

test('what stopped half-way is gone on with by hand, once it is no longer under way', async () => {
  const { deps, order, current } = await aPlacedOrder()
  const unfinished = createUnfinishedStore(database)
  const payments: Payments = { ...deps.payments, cancelPayment: down }
  const cancelling = cancelOrder(
    { ...deps, payments },
    { orderId: order.id, reason: null, actor: shopper },
  )
  await assert.rejects(cancelling, { code: 'PAYMENTS_UNAVAILABLE' })
  const asked = { orderId: order.id, by: uuidv7() }
  const resume = (using: Deps) => resumeOrder({ ...using, unfinished, clock: deps.clock }, asked)
  assert.equal(await resume(deps), 'nothing-to-do')
  assert.equal((await current()).status, 'pending_payment')
  const later = () => new Date(Date.now() + 61_000)
  const resumeLater = (using: Deps) => resumeOrder({ ...using, unfinished, clock: later }, asked)
  await assert.rejects(resumeLater({ ...deps, payments }), { kind: 'unavailable' })
  assert.equal(await resumeLater(deps), 'finished')
  assert.equal((await current()).status, 'cancelled')
  assert.equal(await resumeLater(deps), 'nothing-to-do')
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

test('an order whose time is over but whose payment came unheard is paid, not cancelled', async () => {
  const { money, deps, order, current } = await aPlacedOrder()
  money.pay(order.id)
  const later = new Date(order.payment.expiresAt.getTime() + 60_000)
  await expireOrders({ ...deps, clock: () => later }, later)
  assert.equal((await current()).status, 'paid')
})

test('money that takes days keeps its order and its stock, whatever the time', async () => {
  const { neighbours, money, deps, order, tell, pay, current } = await aPlacedOrder()
  money.change(order.id, { phase: 'processing' })
  const brokenProducts = { ...deps.products, reserveStock: down }
  await assert.rejects(tell({ ...deps, products: brokenProducts }), { kind: 'unavailable' })
  assert.equal(paymentStatusOf(await current()), 'pending')
  assert.equal(await tell(), 'applied')
  assert.equal(neighbours.holdSeconds.get(order.id), 14 * 86_400)
  assert.equal(paymentStatusOf(await current()), 'processing')
  const later = new Date(order.payment.expiresAt.getTime() + 86_400_000)
  await expireOrders({ ...deps, clock: () => later }, later)
  assert.equal((await current()).status, 'pending_payment')
  await pay()
  assert.equal((await current()).status, 'paid')
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
    async syncPayment(orderId) {
      return (orderId === other.order.id ? other : stuck).deps.payments.syncPayment(orderId)
    },
    async cancelPayment(orderId) {
      if (orderId === other.order.id) return other.deps.payments.cancelPayment(orderId)
      throw new AppError('conflict', 'PAYMENT_PROCESSING', 'Not decided yet.')
    },
  }
  const later = new Date(Date.now() + 60 * 60_000)
  await expireOrders({ ...other.deps, payments: undecided, clock: () => later }, later)
  assert.equal((await other.current()).status, 'cancelled')
  assert.equal((await stuck.current()).status, 'pending_payment')
  assert.equal(await stuck.pay(), 'refund-due')
  assert.equal((await stuck.current()).status, 'cancelled')
})

test('held money is captured with the first pieces, and a repeated fulfilment is recorded once', async () => {
  const { money, order, tell, fulfil, current, explained } = await aPlacedOrder()
  money.change(order.id, { phase: 'authorized' })
  await tell()
  assert.deepEqual(
    [(await current()).status, paymentStatusOf(await current())],
    ['paid', 'authorized'],
  )
  const fulfilmentId = uuidv7()
  const sent = await Promise.all([1, 2, 3].map(() => fulfil(1, fulfilmentId)))
  assert.deepEqual(
    sent.map(({ status }) => status),
    Array(3).fill('partly_fulfilled'),
  )
  assert.equal(money.find(order.id).capturedMinor, 2_500)
  await assert.rejects(fulfil(2), { code: 'FULFILMENT_TOO_LARGE' })
  await assert.rejects(fulfil(2, fulfilmentId), { code: 'IDEMPOTENCY_KEY_REUSED' })
  assert.equal((await fulfil(1)).status, 'fulfilled')
  assert.deepEqual(await explained(), [
    'placed',
    'paid',
    'payment-captured',
    'fulfilled',
    'fulfilled',
  ])
  assert.deepEqual(await eventsOf(order), [
    'order-placed 1',
    'order-paid 2',
    'order-fulfilled 4',
    'order-fulfilled 5',
  ])
})

test('a fulfilment that broke off after the capture is completed by the same request', async () => {
  const { money, order, tell, fulfil, deps, current, pieces } = await aPlacedOrder()
  money.change(order.id, { phase: 'authorized' })
  await tell()
  const fulfilment = { id: uuidv7(), lines: pieces(2), carrier: null, trackingNumber: null }
  const dying: Payments = {
    ...deps.payments,
    async capturePayment(orderId, amountMinor) {
      await deps.payments.capturePayment(orderId, amountMinor)
      return down()
    },
  }
  const request = { order: await current(), fulfilment, actor: staff, cause: 'key:x' }
  await assert.rejects(fulfilOrder({ ...deps, payments: dying }, request), {
    code: 'PAYMENTS_UNAVAILABLE',
  })
  assert.equal((await current()).status, 'paid')
  assert.equal((await fulfilOrder(deps, request)).status, 'fulfilled')
  assert.equal((await current()).payment.phase, 'captured')
  await assert.rejects(fulfil(1), { code: 'ORDER_NOT_FULFILLABLE' })
})

test('parcels that all arrived make the order delivered, once', async () => {
  const { deps, order, pay, fulfil, current, explained } = await aPlacedOrder()
  await pay()
  await fulfil(1)
  const { fulfilments } = await fulfil(1)
  const arrive = (fulfilmentId: string) =>
    recordDelivery(deps, { orderId: order.id, fulfilmentId, actor: staff })
  await assert.rejects(arrive(uuidv7()), { kind: 'not-found', code: 'FULFILMENT_NOT_FOUND' })
  for (const { id } of fulfilments) await Promise.all([arrive(id), arrive(id)])
  assert.equal((await current()).status, 'delivered')
  const events = await eventsOf(order)
  assert.equal(events.filter((event) => event.startsWith('order-delivered')).length, 1)
  assert.equal((await explained()).filter((what) => what === 'delivered').length, 2)
})

test('fifty identical refunds are one, and different ones together never exceed the money', async () => {
  const { money, order, pay, refund, current, explained } = await aPlacedOrder()
  await pay()
  const id = uuidv7()
  await Promise.all(Array.from({ length: 50 }, () => refund({ id, amount: gbp(400) })))
  assert.equal((await current()).refunds.length, 1)
  assert.equal(money.keptMinor(order.id), 2_100)
  await assert.rejects(refund({ id, amount: gbp(401) }), { code: 'IDEMPOTENCY_KEY_REUSED' })
  const results = await Promise.allSettled(
    Array.from({ length: 6 }, () => refund({ amount: gbp(500) })),
  )
  const refused = results.flatMap((result) =>
    result.status === 'rejected' ? [result.reason.code] : [],
  )
  assert.deepEqual(refused, ['REFUND_TOO_LARGE', 'REFUND_TOO_LARGE'])
  assert.equal((await refund({ amount: gbp(100) })).status, 'refunded')
  assert.equal(money.keptMinor(order.id), 0)
  await explained()
})

test('a refund and a dispute at the same time never return more than there is', async () => {
  for (let round = 0; round < 20; round += 1) {
    const { money, order, pay, refund, tell, current, explained } = await aPlacedOrder()
    await pay()
    const dispute = async () => {
      const disputes = [{ id: 'du_1', amountMinor: 2_500, phase: 'open' as const }]
      money.change(order.id, { disputes })
      await tell()
    }
    const [refunded] = await Promise.allSettled([refund({ amount: gbp(900) }), dispute()])
    const end = await current()
    const [only] = end.refunds
    if (refunded?.status === 'rejected') {
      assert.equal(refunded.reason.code, 'PAYMENT_DISPUTED')
      assert.ok(only === undefined || only.status === 'failed')
      assert.equal(money.keptMinor(order.id), 2_500)
    } else {
      assert.equal(only?.status, 'succeeded')
      assert.equal(money.keptMinor(order.id), 1_600)
    }
    await explained()
  }
})

test('a refund that payments could not take is kept and completed by the job, once', async () => {
  const { deps, money, order, pay, refund, current, explained } = await aPlacedOrder()
  await pay()
  const taken = deps.payments.refundPayment
  const asked = { id: uuidv7(), amount: gbp(700) }
  deps.payments.refundPayment = async (request) => {
    await taken(request)
    return down()
  }
  await assert.rejects(refund(asked), { code: 'PAYMENTS_UNAVAILABLE', kind: 'unavailable' })
  deps.payments.refundPayment = taken
  assert.equal((await current()).refunds[0]?.status, 'requested')
  await assert.rejects(refund({ amount: gbp(1_900) }), { code: 'REFUND_TOO_LARGE' })
  assert.equal(await finishRefunds(deps, soon()), 1)
  assert.equal(await finishRefunds(deps, soon()), 0)
  assert.equal((await refund(asked)).refunds[0]?.status, 'succeeded')
  assert.equal(money.keptMinor(order.id), 1_800)
  assert.deepEqual(await explained(), ['placed', 'paid', 'refund-requested', 'refund-succeeded'])
})

test('a refund that the provider refuses is told again for its key, and its money is free', async () => {
  const { deps, pay, refund, current, explained } = await aPlacedOrder()
  await pay()
  const asked = { id: uuidv7(), amount: gbp(2_500) }
  const taken = deps.payments.refundPayment
  deps.payments.refundPayment = async () => {
    throw new AppError('unprocessable', 'PROVIDER_REFUSED', 'The card is closed.')
  }
  await assert.rejects(refund(asked), { code: 'PROVIDER_REFUSED' })
  deps.payments.refundPayment = taken
  await assert.rejects(refund(asked), { code: 'PROVIDER_REFUSED' })
  assert.equal((await current()).refunds[0]?.status, 'failed')
  assert.equal((await refund({ amount: gbp(2_500) })).status, 'refunded')
  await explained()
})

test('pieces that came back are told to products once', async () => {
  const { order, pay, refund, pieces } = await aPlacedOrder()
  await pay()
  const asked = { id: uuidv7(), lines: pieces(1), amount: undefined, isReturned: true }
  await Promise.all(Array.from({ length: 10 }, () => refund(asked)))
  const messages = await database.query<{ returned: LineQuantity[] }>(selectReturned, [order.id])
  assert.deepEqual(messages, [{ returned: pieces(1) }])
})

test('a bank transfer waits a week for the person who sees the money arrive', async () => {
  const { neighbours, deps, order, current } = await aPlacedOrder({ method: 'bank_transfer' })
  const days = (order.payment.expiresAt.getTime() - Date.now()) / 86_400_000
  assert.ok(days > 6.9 && days <= 7)
  assert.ok((neighbours.holdSeconds.get(order.id) ?? 0) > 7 * 86_400)
  const receipt = { order, reference: 'SEPA 1', subjectId: staff.subjectId }
  await assert.rejects(recordReceipt(deps, { ...receipt, amount: gbp(1) }), {
    code: 'RECEIPT_MISMATCH',
  })
  const paid = await recordReceipt(deps, { ...receipt, amount: gbp(2_500) })
  assert.equal(paid.status, 'paid')
  const entries = await orders.timeline(order.id)
  assert.deepEqual(entries.at(-1)?.actor, staff)
  assert.deepEqual(await current(), paid)
})

test('the shopper who comes back before the webhook sees the order paid', async () => {
  const { money, deps, order, tell, current } = await aPlacedOrder()
  money.pay(order.id)
  const checked = await Promise.all([checkPayment(deps, order), tell(), checkPayment(deps, order)])
  assert.equal(checked[0].status, 'paid')
  assert.deepEqual(await eventsOf(order), ['order-placed 1', 'order-paid 2'])
  assert.deepEqual(await checkPayment(deps, await current()), await current())
})
