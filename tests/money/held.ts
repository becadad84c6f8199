import assert from 'node:assert/strict'
import { eventually } from '@halles/kit/testing'
import type { Order } from '../../services/orders/src/domain/order.ts'
import type { Shop } from '../e2e/shop.ts'
import {
  checkMoney,
  checkOrder,
  checkRefused,
  checkTimeline,
  isReported,
  sumOf,
} from './agreement.ts'
import { truthOf } from './invariants.ts'
import { openDatabases, openSandbox } from './ledger.ts'

export type Sold = { variantId: string; initial: number }
export type Held = {
  checkouts: number
  orders: Record<string, number>
  capturedMinor: number
  refundedMinor: number
}

// A sweeper looks a minute after a checkout began, and again a quarter of a minute later.
const settled = { limitMs: 240_000, intervalMs: 1_000 }

/** Waits until nothing is under way on the running stack, the operator's reconciliation included. */
export async function untilSettled(shop: Shop): Promise<void> {
  const sandbox = openSandbox(shop.stack)
  const databases = openDatabases(shop.stack)
  try {
    await sandbox.healFaults()
    await eventually(async () => {
      await sandbox.runTasks()
      await sandbox.resendFailed()
      const { deliveries, tasks, inFlight } = await sandbox.state()
      assert.deepEqual([deliveries.waiting, deliveries.failed ?? 0, tasks, inFlight], [0, 0, 0, 0])
      const unfinished = await databases.unfinished.list(new Date(), 100)
      assert.deepEqual(unfinished, [])
      assert.equal(await databases.unsent(), 0)
    }, settled)
    const token = await shop.admin()
    const body = { from: new Date(Date.now() - 7_200_000).toISOString() }
    for (let cursor: string | null = ''; cursor !== null; ) {
      const asked = cursor === '' ? body : { ...body, cursor }
      const answer: { nextCursor: string | null } = await eventually(
        () => shop.api.ask('reconcilePayments', { token, body: asked }),
        settled,
      )
      cursor = answer.nextCursor
    }
  } finally {
    await databases.close()
  }
}

/** What must be true of the running stack when it is settled; answers all that is not. */
export async function holdMoney(
  shop: Shop,
  goods: readonly Sold[],
): Promise<{ faults: string[]; held: Held }> {
  const sandbox = openSandbox(shop.stack)
  const databases = openDatabases(shop.stack)
  try {
    const [books, checkouts, findings, ledger] = await Promise.all([
      sandbox.books(),
      databases.checkouts(),
      databases.findings.list({ after: null, limit: 1_000 }),
      sandbox.ledger(),
    ])
    const sessionsOf = Map.groupBy(books, ({ session }) => session.client_reference_id)
    const faults: string[] = []
    const orders: Order[] = []
    for (const { orderId, state } of checkouts) {
      const order = await databases.orders.find(orderId)
      const payment = await databases.payments.findByOrder(orderId)
      const truth = truthOf(sessionsOf.get(orderId) ?? [])
      const isGivenUp = payment !== undefined && isReported(findings, truth, payment)
      // Nobody has waited for its end.
      const isOpen = order?.status === 'pending_payment' && truth.capturedMinor === 0
      const told = [
        ...checkMoney(truth, { order, payment, isGivenUp }),
        ...(order
          ? isOpen
            ? []
            : checkOrder(order, truth, isGivenUp)
          : checkRefused(truth, state, isGivenUp)),
        ...(order ? checkTimeline(order, await databases.orders.timeline(orderId)) : []),
      ]
      faults.push(...told.map((fault) => `${fault} (${orderId}, ${order?.status ?? state})`))
      if (order) orders.push(order)
    }
    const known = new Set(checkouts.map(({ orderId }) => orderId))
    for (const orderId of sessionsOf.keys()) {
      if (!known.has(orderId ?? '')) faults.push(`A session is nobody's: ${orderId}.`)
    }
    const capturedMinor = orders.reduce((sum, { payment }) => sum + payment.capturedMinor, 0)
    const refundedMinor = orders.reduce(
      (sum, { refunds }) => sum + sumOf(refunds.filter(({ status }) => status === 'succeeded')),
      0,
    )
    const net = ledger.reduce((sum, each) => sum + each.captured - each.refunded, 0)
    if (net !== capturedMinor - refundedMinor) {
      faults.push(`The provider has ${net}, the orders say ${capturedMinor - refundedMinor}.`)
    }
    faults.push(
      ...stockFaults(goods, orders, await databases.stock(goods.map((each) => each.variantId))),
    )
    const counts = Map.groupBy(orders, ({ status }) => status)
    const held = {
      checkouts: checkouts.length,
      orders: Object.fromEntries([...counts].map(([status, each]) => [status, each.length])),
      capturedMinor,
      refundedMinor,
    }
    return { faults, held }
  } finally {
    await databases.close()
  }
}

function stockFaults(
  goods: readonly Sold[],
  orders: readonly Order[],
  stock: readonly { id: string; onHand: number; reserved: number }[],
): string[] {
  return goods.flatMap(({ variantId, initial }) => {
    const row = stock.find(({ id }) => id === variantId)
    const pieces = (statuses: (status: Order['status']) => boolean) =>
      orders
        .filter(({ status }) => statuses(status))
        .flatMap(({ lines, refunds }) => [
          ...lines,
          ...refunds.flatMap(({ restocked }) =>
            restocked.map((line) => ({ ...line, quantity: -line.quantity })),
          ),
        ])
        .filter((line) => line.variantId === variantId)
        .reduce((sum, { quantity }) => sum + quantity, 0)
    const sold = pieces((status) => status !== 'cancelled' && status !== 'pending_payment')
    const held = pieces((status) => status === 'pending_payment')
    const expected = { onHand: initial - sold, reserved: held }
    return row?.onHand === expected.onHand && row.reserved === expected.reserved
      ? []
      : [
          `Of ${variantId} there must be ${JSON.stringify(expected)}, there is ${JSON.stringify(row)}.`,
        ]
  })
}
