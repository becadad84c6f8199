import { AppError } from '@halles/kit/errors'
import { uuidv7 } from '@halles/kit/ids'
import { derivedId } from '../../services/orders/src/derived-ids.ts'
import type { Order } from '../../services/orders/src/domain/order.ts'
import { cancelOrder } from '../../services/orders/src/use-cases/cancel-order.ts'
import { checkPayment, recordReceipt } from '../../services/orders/src/use-cases/check-payment.ts'
import { fulfilOrder, recordDelivery } from '../../services/orders/src/use-cases/fulfil-order.ts'
import { placeOrder } from '../../services/orders/src/use-cases/place-order.ts'
import { refundOrder } from '../../services/orders/src/use-cases/refund-order.ts'
import { recordRefundSent } from '../../services/payments/src/use-cases/refund-payment.ts'
import { setPrice } from '../../services/products/src/use-cases/products.ts'
import { type Command, cards } from './history.ts'
import { totalsOf } from './services.ts'
import { type Checkout, nthOf, type Shop } from './shop.ts'

type Of<Name extends Command['do']> = Extract<Command, { do: Name }>

const address = {
  name: 'Odette Marchand',
  line1: '12 rue des Halles',
  postalCode: '75001',
  city: 'Paris',
  country: 'FR',
}
const euros = (amountMinor: number) => ({ amountMinor, currency: 'EUR' })

/** A new cart, checked out as the shopper sees it; perhaps twice at once with the same key. */
export async function checkOut(shop: Shop, { lines, method, times }: Of<'checkout'>) {
  const bought = lines.flatMap(({ variant, quantity }) => {
    const found = nthOf(shop.variants, variant)
    return found ? [{ variantId: found.id, quantity }] : []
  })
  const unique = [...new Map(bought.map((line) => [line.variantId, line])).values()]
  const cartId = uuidv7()
  shop.carts.fill(cartId, unique)
  const priced = shop.carts.linesOf(cartId)
  const { total } = totalsOf({ lines: priced, country: address.country })
  const checkout: Checkout = {
    cartId,
    key: uuidv7(),
    lines: unique,
    method,
    expectedMinor: total.amountMinor,
    orderId: null,
    prices: new Map(shop.variants.map(({ id, priceMinor, asked }) => [id, [priceMinor, ...asked]])),
  }
  shop.checkouts.push(checkout)
  const answers = Array.from({ length: times }, () => place(shop, checkout))
  return (await Promise.all(answers)).join(', ')
}

export async function retry(shop: Shop, { order }: Of<'retry'>) {
  const checkout = nthOf(shop.checkouts, order)
  return checkout ? place(shop, checkout) : 'nothing'
}

async function place(shop: Shop, checkout: Checkout): Promise<string> {
  const { cartId, key, method, expectedMinor } = checkout
  const command = {
    cartId,
    email: 'odette@example.org',
    shippingAddress: address,
    expectedTotal: euros(expectedMinor),
    paymentMethod: method,
    idempotencyKey: key,
    customerId: null,
  }
  return answered(async () => {
    const { orders } = shop.deps
    const order = await shop.schedule.call('orders', 'placeOrder', () =>
      placeOrder(orders, command),
    )
    if (checkout.orderId !== null && checkout.orderId !== order.id) {
      shop.faults.push(`One key made the orders ${checkout.orderId} and ${order.id}.`)
    }
    checkout.orderId ??= order.id
    const { amountMinor } = order.totals.total
    if (amountMinor !== expectedMinor) {
      shop.faults.push(`The shopper saw ${expectedMinor} and is charged ${amountMinor}.`)
    }
    for (const { variantId, unitPrice } of order.lines) {
      const prices = checkout.prices.get(variantId) ?? []
      if (prices.includes(unitPrice.amountMinor)) continue
      shop.faults.push(`What costs ${prices} is charged at ${unitPrice.amountMinor}.`)
    }
    return order.id
  })
}

/** What a call came to: its answer, or the code of its problem. */
export async function answered(work: () => Promise<string>): Promise<string> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof AppError) return error.code
    throw error
  }
}

export async function orderOf(shop: Shop, nth: number): Promise<Order | undefined> {
  const placed = shop.checkouts.filter(({ orderId }) => orderId !== null)
  const orderId = nthOf(placed, nth)?.orderId
  if (!orderId) return undefined
  return shop.schedule.step('look', () => shop.services.stores.orders.find(orderId))
}

export const sessionOf = (order: Order) => /\/c\/pay\/(\w+)/.exec(order.payment.redirectUrl)?.[1]

export async function pay(shop: Shop, command: Of<'pay'>) {
  const order = await orderOf(shop, command.order)
  const sessionId = order && sessionOf(order)
  if (!sessionId) return 'nothing'
  const { provider, schedule } = shop
  const fields = { expiry: '12/60', cvc: '123', ...cards[command.with] }
  const submit = (form: Record<string, string>) =>
    schedule.step('pay', async () => provider.submit(sessionId, form))
  const { status } = await submit(fields)
  if (command.with !== 'authenticated') return `${status}`
  return `${(await submit({ authentication: 'complete' })).status}`
}

export async function comeBack(shop: Shop, command: Of<'return'>) {
  const order = await orderOf(shop, command.order)
  return order ? ask(shop, () => checkPayment(shop.deps.orders, order)) : 'nothing'
}

export async function cancel(shop: Shop, command: Of<'cancel'>) {
  const order = await orderOf(shop, command.order)
  if (!order) return 'nothing'
  const actor = { kind: 'shopper', subjectId: null } as const
  const { id: orderId } = order
  return ask(shop, () => cancelOrder(shop.deps.orders, { orderId, reason: null, actor }))
}

const staffOf = ({ staffId: subjectId }: Shop) => ({ kind: 'staff', subjectId }) as const

export async function fulfil(shop: Shop, command: Of<'fulfil'>) {
  const order = await orderOf(shop, command.order)
  const line = order && nthOf(order.lines, command.line)
  if (!line) return 'nothing'
  const { variantId } = line
  const lines = [{ variantId, quantity: Math.min(command.quantity, line.quantity) }]
  // The key goes with the content, as with a client that repeats itself.
  const key = JSON.stringify([command.key, lines])
  const fulfilment = {
    id: derivedId('fulfilment', order.id, key),
    lines,
    carrier: null,
    trackingNumber: null,
  }
  const whose = { actor: staffOf(shop), cause: `key:${command.key}` }
  return ask(shop, () => fulfilOrder(shop.deps.orders, { order, fulfilment, ...whose }))
}

export async function deliver(shop: Shop, command: Of<'deliver'>) {
  const order = await orderOf(shop, command.order)
  const fulfilment = order && nthOf(order.fulfilments, command.which)
  if (!fulfilment) return 'nothing'
  const delivered = { orderId: order.id, fulfilmentId: fulfilment.id, actor: staffOf(shop) }
  return ask(shop, () => recordDelivery(shop.deps.orders, delivered))
}

export async function refund(shop: Shop, command: Of<'refund'>) {
  const order = await orderOf(shop, command.order)
  if (!order) return 'nothing'
  const { what, of, isReturned } = command
  const line = nthOf(order.lines, of)
  const pieces = line ? [{ variantId: line.variantId, quantity: Math.min(of, line.quantity) }] : []
  const amounts = {
    amount: Math.ceil((order.payment.capturedMinor * of) / 4) || of,
    rest: order.payment.capturedMinor || 1,
  }
  const content = {
    lines: what === 'line' ? pieces : [],
    amount: what === 'line' ? undefined : euros(amounts[what]),
    isReturned,
    reason: null,
  }
  const key = JSON.stringify([command.key, content])
  const asked = { id: derivedId('refund', order.id, key), ...content }
  const whose = { actor: staffOf(shop), cause: `key:${command.key}` }
  return ask(shop, () =>
    refundOrder(shop.deps.orders, { orderId: order.id, refund: asked, ...whose }),
  )
}

export async function receipt(shop: Shop, command: Of<'receipt'>) {
  const order = await orderOf(shop, command.order)
  if (!order) return 'nothing'
  const { amountMinor } = order.totals.total
  const amount = euros(command.isRight ? amountMinor : amountMinor - 1)
  const seen = { order, amount, reference: 'statement 7', subjectId: shop.staffId }
  return ask(shop, () => recordReceipt(shop.deps.orders, seen))
}

export async function refundSent(shop: Shop, command: Of<'refund sent'>) {
  const order = await orderOf(shop, command.order)
  const payment = order && (await shop.services.stores.payments.findByOrder(order.id))
  const waiting = payment?.state.refunds.find(({ phase }) => phase === 'pending')
  if (!waiting?.id || payment?.provider !== 'bank-transfer') return 'nothing'
  const sent = { refundId: waiting.id, subjectId: shop.staffId }
  return answered(async () => {
    const { payments } = shop.deps
    const done = await shop.schedule.call('payments', 'recordRefundSent', () =>
      recordRefundSent(payments, sent),
    )
    return done.phase
  })
}

export async function changePrice(shop: Shop, { variant, amountMinor, isHeard }: Of<'price'>) {
  const found = nthOf(shop.variants, variant)
  if (!found) return 'nothing'
  return answered(async () => {
    found.asked.push(amountMinor)
    for (const { prices } of shop.checkouts) prices.get(found.id)?.push(amountMinor)
    const edit = { by: 'staff', expectedVersion: undefined }
    await shop.schedule.call('products', 'setPrice', () =>
      setPrice(shop.deps.products, found.id, euros(amountMinor), edit),
    )
    if (isHeard) shop.carts.hear(found.id, amountMinor)
    return 'changed'
  })
}

function ask(shop: Shop, work: () => Promise<Order>): Promise<string> {
  return answered(async () => {
    const order = await shop.schedule.call('orders', 'request', work)
    return order.status
  })
}
