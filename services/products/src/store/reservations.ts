import { type Database, sql, type Tx } from '@halles/kit/database'
import { recordMessage } from '@halles/kit/inbox'
import { decideChange, type Stamp } from '../domain/product.ts'
import {
  cancel,
  checkRepeated,
  type HeldLine,
  type LockedStock,
  type Move,
  type Movement,
  type OfferedVariant,
  type Quote,
  type Reservation,
  type ReservationStatus,
  release,
  reserve,
  sell,
  takeBack,
} from '../domain/reservations.ts'
import type { ReservationStore } from '../ports.ts'
import { loadProducts, saveChanges } from './changes.ts'

/** The consumer group, and its name in the inbox. */
const consumer = 'products'

// Opens the reservation and locks its variants. A concurrent call with the same id waits at the
// insert, then finds the reservation and locks nothing.
const open = sql(
  'products.open_reservation',
  `with opened as (
    insert into reservations (id, status, expires_at)
    values ($1, 'held', now() + make_interval(secs => $3))
    on conflict (id) do nothing returning id
  )
  select v.id as "variantId", v.product_id as "productId", v.on_hand as "onHand", v.reserved,
    v.availability, v.sku, p.title, v.title as "variantTitle",
    v.price_minor as "unitAmountMinor", v.currency, p.status = 'active' and not v.is_removed as "isSold"
  from variants v join products p on p.id = v.product_id
  where v.id = any ($2::uuid[]) and exists (select 1 from opened)
  order by v.id for no key update of v`,
)
const hold = sql(
  'products.hold_stock',
  `with lines as (
    select * from jsonb_to_recordset($2::jsonb) as line(
      place int, "variantId" uuid, "productId" uuid, sku text, title text, "variantTitle" text,
      quantity int, "unitAmountMinor" bigint, currency text)
  ), held as (
    insert into reservation_lines (reservation_id, place, variant_id, product_id, sku, title,
      variant_title, quantity, unit_amount_minor, currency)
    select $1, place, "variantId", "productId", sku, title, "variantTitle", quantity,
      "unitAmountMinor", currency from lines
  )
  update variants v set reserved = v.reserved + lines.quantity
  from lines where v.id = lines."variantId"`,
)
const selectQuotes = sql(
  'products.select_quotes',
  `select r.status, l.variant_id as "variantId", l.product_id as "productId", l.sku, l.title,
    l.variant_title as "variantTitle", l.quantity, l.unit_amount_minor as "unitAmountMinor",
    l.currency
  from reservations r join reservation_lines l on l.reservation_id = r.id
  where r.id = $1 order by l.place`,
)
const extendHold = sql(
  'products.extend_hold',
  `update reservations set expires_at = now() + make_interval(secs => $2)
   where id = $1 and status = 'held' and expires_at < now() + make_interval(secs => $2)`,
)
const lockReservation = sql(
  'products.lock_reservation',
  'select id, status from reservations where id = $1 for update',
)
// Skips what another replica is settling.
const lockExpired = sql(
  'products.lock_expired',
  `select id, status from reservations where status = 'held' and expires_at <= now()
   order by expires_at limit $1 for update skip locked`,
)
const selectLines = sql(
  'products.select_lines',
  `select reservation_id as "reservationId", variant_id as "variantId", quantity, taken, returned
   from reservation_lines where reservation_id = any ($1::uuid[]) order by place`,
)
const lockStock = sql(
  'products.lock_stock',
  `select id as "variantId", product_id as "productId", on_hand as "onHand", reserved, availability
   from variants where id = any ($1::uuid[]) order by id for no key update`,
)
const settle = sql(
  'products.settle_reservations',
  `with settled as (
    update reservations set status = $2, settled_at = now() where id = any ($1::uuid[])
  )
  update variants v set on_hand = v.on_hand + m.on_hand, reserved = v.reserved + m.reserved
  from unnest($3::uuid[], $4::int[], $5::int[]) as m(id, on_hand, reserved) where v.id = m.id`,
)
const recordTaken = sql(
  'products.record_taken',
  `update reservation_lines l set taken = t.taken
   from unnest($2::uuid[], $3::int[]) as t(variant_id, taken)
   where l.reservation_id = $1 and l.variant_id = t.variant_id`,
)
const recordReturned = sql(
  'products.record_returned',
  `with returned as (
    update reservation_lines l set returned = l.returned + t.quantity
    from unnest($2::uuid[], $3::int[]) as t(variant_id, quantity)
    where l.reservation_id = $1 and l.variant_id = t.variant_id
    returning l.variant_id, t.quantity
  )
  update variants v set on_hand = v.on_hand + returned.quantity
  from returned where v.id = returned.variant_id`,
)

export function createReservationStore(database: Database): ReservationStore {
  return {
    reserve: ({ reservationId, lines, ttlSeconds }, stamp) =>
      database.transaction(async (tx) => {
        const ids = lines.map(({ variantId }) => variantId)
        const offered = await tx.query<OfferedVariant>(open, [reservationId, ids, ttlSeconds])
        if (offered.length === 0) {
          const known = await tx.query<Quote & { status: ReservationStatus }>(selectQuotes, [
            reservationId,
          ])
          // None: the reservation is the one just opened, and no variant is known.
          if (known[0]) {
            checkRepeated(known[0].status, known, lines)
            await tx.run(extendHold, [reservationId, ttlSeconds])
            return known.map(({ status: _status, ...quote }) => quote)
          }
        }
        const { quotes, crossed } = reserve(lines, offered)
        const rows = quotes.map((quote, place) => ({ place, ...quote }))
        await tx.run(hold, [reservationId, JSON.stringify(rows)])
        await publishAvailability(tx, crossed, stamp)
        return quotes
      }),

    release: (reservationId, stamp) =>
      database.transaction(async (tx) => {
        const [reservation] = await lock(tx, [reservationId])
        if (reservation?.status === 'held') await releaseAll(tx, [reservation], stamp)
      }),

    releaseExpired: (limit, stamp) =>
      database.transaction(async (tx) => {
        const rows = await tx.query<Row>(lockExpired, [limit])
        if (rows.length > 0) await releaseAll(tx, await withLines(tx, rows), stamp)
        return rows.length
      }),

    sell: ({ messageId, orderId, lines: ordered }, stamp) =>
      database.transaction(async (tx) => {
        if (!(await recordMessage(tx, messageId, consumer))) return 0
        const [reservation] = await lock(tx, [orderId])
        if (!reservation) return ordered.reduce((sum, { quantity }) => sum + quantity, 0)
        if (reservation.status === 'sold') return 0
        const sale = sell(reservation, await lockVariants(tx, [reservation]))
        await tx.run(recordTaken, [
          orderId,
          sale.lines.map(({ variantId }) => variantId),
          sale.lines.map(({ taken }) => taken),
        ])
        await applySettlement(tx, [reservation], { status: 'sold', movement: sale, stamp })
        return sale.missing
      }),

    cancel: ({ messageId, orderId }, stamp) =>
      database.transaction(async (tx) => {
        if (!(await recordMessage(tx, messageId, consumer))) return
        const [reservation] = await lock(tx, [orderId])
        if (!reservation || reservation.status === 'released') return
        const movement = cancel(reservation, await lockVariants(tx, [reservation]))
        await applySettlement(tx, [reservation], { status: 'released', movement, stamp })
      }),

    takeBack: ({ messageId, orderId, lines: returned }, stamp) =>
      database.transaction(async (tx) => {
        if (!(await recordMessage(tx, messageId, consumer))) return
        const [reservation] = await lock(tx, [orderId])
        if (!reservation) return
        const stock = await lockVariants(tx, [reservation])
        const { lines, crossed } = takeBack(reservation, returned, stock)
        await tx.run(recordReturned, [
          orderId,
          lines.map(({ variantId }) => variantId),
          lines.map(({ quantity }) => quantity),
        ])
        await publishAvailability(tx, crossed, stamp)
      }),
  }
}

type Row = { id: string; status: ReservationStatus }

async function lock(tx: Tx, [id]: readonly [string]): Promise<Reservation[]> {
  return withLines(tx, await tx.query<Row>(lockReservation, [id]))
}

async function withLines(tx: Tx, rows: readonly Row[]): Promise<Reservation[]> {
  type LineRow = HeldLine & { reservationId: string }
  const lines = await tx.query<LineRow>(selectLines, [rows.map(({ id }) => id)])
  const byReservation = Map.groupBy(lines, ({ reservationId }) => reservationId)
  return rows.map(({ id, status }) => ({ id, status, lines: byReservation.get(id) ?? [] }))
}

function lockVariants(tx: Tx, reservations: readonly Reservation[]): Promise<LockedStock[]> {
  const ids = reservations.flatMap(({ lines }) => lines.map(({ variantId }) => variantId))
  return tx.query<LockedStock>(lockStock, [[...new Set(ids)]])
}

async function releaseAll(tx: Tx, reservations: readonly Reservation[], stamp: Stamp) {
  const stock = await lockVariants(tx, reservations)
  const movement = release(
    reservations.flatMap(({ lines }) => lines),
    stock,
  )
  await applySettlement(tx, reservations, { status: 'released', movement, stamp })
}

async function applySettlement(
  tx: Tx,
  reservations: readonly Reservation[],
  { status, movement, stamp }: { status: ReservationStatus; movement: Movement; stamp: Stamp },
): Promise<void> {
  const { moves, crossed } = movement
  const column = (name: keyof Move) => moves.map((move) => move[name])
  await tx.run(settle, [
    reservations.map(({ id }) => id),
    status,
    column('variantId'),
    column('onHand'),
    column('reserved'),
  ])
  await publishAvailability(tx, crossed, stamp)
}

/** Saves and tells availabilities that the moves of this transaction have changed. */
async function publishAvailability(tx: Tx, productIds: readonly string[], stamp: Stamp) {
  if (productIds.length === 0) return
  const products = await loadProducts(tx, productIds)
  const changes = products.flatMap((product) => decideChange(product, product, stamp) ?? [])
  await saveChanges(tx, changes, 'stock')
}
