import { createDatabase, type Database, sql } from '@halles/kit/database'
import { createLogger } from '@halles/kit/logging'
import type { ProductForSale, Shop } from '../../tests/e2e/shop.ts'
import type { Purchase } from './buyers.ts'
import type { ProviderUnderTest } from './provider.ts'

type OrderRow = {
  id: string
  status: string
  captured: number
  refunded: number
  key: string
  quantity: number
  variantId: string
}

const selectOrders = sql(
  'chaos.orders',
  `select o.id, o.status, c.idempotency_key as key,
     o.captured_minor as captured,
     coalesce((select sum((refund->>'amountMinor')::bigint)
       from jsonb_array_elements(o.refunds) as r (refund)
       where refund->>'status' = 'succeeded'), 0)::bigint as refunded,
     (o.lines->0->>'quantity')::integer as quantity, o.lines->0->>'variantId' as "variantId"
   from orders as o join checkouts as c on c.order_id = o.id`,
)

export function openOrders({ stack }: Shop): Database {
  const { postgresPassword } = stack.readJson('secrets.json') as { postgresPassword: string }
  const port = stack.processes('postgres')[0]?.ports.postgres
  return createDatabase({
    url: `postgres://halles:${postgresPassword}@127.0.0.1:${port}/orders`,
    logger: createLogger({ service: 'chaos', level: 'silent', instance: 'chaos' }),
    applicationName: 'chaos',
    poolSize: 2,
  })
}

export type Books = { orders: number; complaints: string[]; sold: number; moneyIn: number }

const total = (rows: readonly OrderRow[], of: (row: OrderRow) => number) =>
  rows.reduce((sum, row) => sum + of(row), 0)

/** Holds what orders know against what buyers were told, the provider's books and the stock. */
export async function audit(
  shop: Shop,
  deps: {
    database: Database
    provider: ProviderUnderTest
    goods: readonly ProductForSale[]
    purchases: readonly Purchase[]
    initialStock: number
  },
): Promise<Books> {
  const { database, provider, goods, purchases, initialStock } = deps
  const rows = await database.query<OrderRow>(selectOrders)
  const byId = new Map(rows.map((row) => [row.id, row]))
  const complaints = purchases.flatMap((purchase) => compareWithBuyer(purchase, byId))
  const intents = Map.groupBy(
    (await provider.intents()).filter(({ status }) => status === 'succeeded'),
    ({ metadata }) => metadata.order_id ?? '',
  )
  for (const [orderId, charges] of intents) {
    if (charges.length > 1) complaints.push(`${orderId} was charged ${charges.length} times.`)
    const row = byId.get(orderId)
    if (!row || row.captured === 0) complaints.push(`${orderId} has a charge and no money.`)
  }
  for (const row of rows) {
    if (row.captured > 0 && !intents.has(row.id)) complaints.push(`${row.id} has no charge.`)
    const isDead = row.status === 'cancelled' || row.status === 'refunded'
    if (isDead && row.captured !== row.refunded) complaints.push(`${row.id} keeps money.`)
  }
  const ledger = await provider.ledger()
  const money = {
    captured: total(rows, (r) => r.captured),
    refunded: total(rows, (r) => r.refunded),
  }
  for (const name of ['captured', 'refunded'] as const) {
    const theirs = ledger.reduce((sum, entry) => sum + entry[name], 0)
    if (theirs !== money[name]) {
      complaints.push(`${name}: the provider has ${theirs}, orders have ${money[name]}.`)
    }
  }
  for (const { variantId } of goods) {
    const ofVariant = rows.filter((row) => row.variantId === variantId)
    const sold = total(
      ofVariant.filter(({ status }) => status === 'paid'),
      (row) => row.quantity,
    )
    const held = total(
      ofVariant.filter(({ status }) => status === 'pending_payment'),
      (row) => row.quantity,
    )
    const stock = await shop.stockOf(variantId)
    if (stock.quantity !== initialStock - sold || stock.reserved !== held) {
      const wanted = { quantity: initialStock - sold, reserved: held }
      complaints.push(`${variantId}: ${JSON.stringify(stock)}, not ${JSON.stringify(wanted)}.`)
    }
  }
  const paid = rows.filter(({ status }) => status === 'paid')
  return {
    orders: rows.length,
    complaints,
    sold: total(paid, (row) => row.quantity),
    moneyIn: money.captured - money.refunded,
  }
}

const wantedStatus = {
  paid: 'paid',
  left: 'pending_payment',
  declined: 'pending_payment',
  cancelled: 'cancelled',
} as const

function compareWithBuyer({ key, orderId, end }: Purchase, byId: Map<string, OrderRow>): string[] {
  if (end === 'out-of-stock') {
    const row = [...byId.values()].find((each) => each.key === key)
    return row ? [`${key} was refused and has an order.`] : []
  }
  const row = byId.get(orderId ?? '')
  if (!row) return [`The order ${orderId} is lost.`]
  const wanted = wantedStatus[end]
  return row.status === wanted ? [] : [`${row.id} is ${row.status}, not ${wanted}.`]
}
