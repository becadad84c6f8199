import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { uuidv7 } from '@halles/kit/ids'
import { removeProduct } from '../../src/domain/edit.ts'
import { decideChange, type Product } from '../../src/domain/product.ts'
import type { Line } from '../../src/domain/reservations.ts'
import { setPrice } from '../../src/use-cases/products.ts'
import {
  cancelReserved,
  releaseExpired,
  releaseStock,
  reserveStock,
  sellReserved,
  takeBackReturned,
} from '../../src/use-cases/reservations.ts'
import { euros, eventsOf, stamp, startStores, stockOf, unique, variantIdOf } from '../fixtures.ts'

let stores: Awaited<ReturnType<typeof startStores>>
before(async () => {
  stores = await startStores()
})
after(async () => stores?.drop())

const ttlSeconds = 600
const withStock = (quantity: number) =>
  stores.add({ variants: [{ sku: unique('SKU'), price: euros(1_000), quantity }] })
const reserve = (lines: Line[], reservationId = uuidv7()) =>
  reserveStock(stores.deps, { reservationId, lines, ttlSeconds })
const codeOf = (result: PromiseSettledResult<unknown>) =>
  result.status === 'fulfilled' ? 'ok' : (result.reason.code ?? String(result.reason))
const expire = (reservationId: string) =>
  stores.database.pool.query(
    "update reservations set expires_at = now() - interval '1 second' where id = $1",
    [reservationId],
  )
async function releaseAllExpired(): Promise<void> {
  while (await releaseExpired(stores.deps));
}

test('16 concurrent buyers of the last 5 pieces: exactly 5 get one', async () => {
  const product = await withStock(5)
  const variantId = variantIdOf(product)
  const results = await Promise.allSettled(
    Array.from({ length: 16 }, () => reserve([{ variantId, quantity: 1 }])),
  )
  const codes = results.map(codeOf)
  assert.equal(codes.filter((code) => code === 'ok').length, 5)
  assert.equal(codes.filter((code) => code === 'OUT_OF_STOCK').length, 11)
  assert.deepEqual(await stockOf(stores.database, variantId), { onHand: 5, reserved: 5 })
})

test('20 concurrent calls with the same id make one reservation with one answer', async () => {
  const variantId = variantIdOf(await withStock(50))
  const id = uuidv7()
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => reserve([{ variantId, quantity: 2 }], id)),
  )
  for (const answer of answers) assert.deepEqual(answer, answers[0])
  assert.equal(answers[0]?.[0]?.quantity, 2)
  assert.deepEqual(await stockOf(stores.database, variantId), { onHand: 50, reserved: 2 })
})

test('a reservation answers the facts and the price of now, and repeats the price of then', async () => {
  const product = await withStock(50)
  const variantId = variantIdOf(product)
  const id = uuidv7()
  const [line] = await reserve([{ variantId, quantity: 1 }], id)
  assert.deepEqual(line, {
    variantId,
    productId: product.id,
    sku: product.variants[0]?.sku,
    title: product.title,
    variantTitle: 'Default',
    quantity: 1,
    unitAmountMinor: 1_000,
    currency: 'EUR',
  })
  const edit = { by: 'tester', expectedVersion: undefined }
  await setPrice(stores.deps, variantId, euros(2_000), edit)
  const [again] = await reserve([{ variantId, quantity: 1 }], id)
  const [other] = await reserve([{ variantId, quantity: 1 }])
  assert.deepEqual([again?.unitAmountMinor, other?.unitAmountMinor], [1_000, 2_000])
})

test('all lines are held or none', async () => {
  const [many, few] = [await withStock(50), await withStock(1)].map((p) => variantIdOf(p))
  if (!many || !few) throw new Error('unreachable')
  const lines = [
    { variantId: many, quantity: 3 },
    { variantId: few, quantity: 2 },
  ]
  const id = uuidv7()
  await assert.rejects(reserve(lines, id), {
    code: 'OUT_OF_STOCK',
    details: { lines: [{ variantId: few, requested: 2, available: 1 }] },
  })
  assert.deepEqual(await stockOf(stores.database, many), { onHand: 50, reserved: 0 })
  await reserve([{ variantId: many, quantity: 1 }], id)
})

test('what is unknown, a draft or removed cannot be reserved', async () => {
  const draft = await stores.add({ status: 'draft' })
  const removed = await withStock(5)
  await stores.deps.products.change(removed.id, { by: 'tester' }, (product) =>
    decideChange(product, removeProduct(product), stamp),
  )
  for (const variantId of [uuidv7(), variantIdOf(draft), variantIdOf(removed)]) {
    await assert.rejects(reserve([{ variantId, quantity: 1 }]), { code: 'VARIANT_NOT_FOUND' })
  }
})

test('orders with lines in opposite orders, edits and releases never lose a piece', async () => {
  const products = await Promise.all(Array.from({ length: 6 }, () => withStock(12)))
  const variantIds = products.map((product) => variantIdOf(product))
  const held: string[] = []
  await Promise.all(
    Array.from({ length: 60 }, async (_, index) => {
      const ids = index % 2 === 0 ? variantIds : variantIds.toReversed()
      const lines = ids
        .slice(index % 3, 4 + (index % 3))
        .map((variantId) => ({ variantId, quantity: 1 }))
      const id = uuidv7()
      if (index % 5 === 0) {
        const edit = { by: 'tester', expectedVersion: undefined }
        await setPrice(stores.deps, variantIds[index % 6] ?? '', euros(1_000 + index), edit)
      }
      const result = await Promise.allSettled([reserve(lines, id)])
      assert.ok(['ok', 'OUT_OF_STOCK'].includes(codeOf(result[0])), codeOf(result[0]))
      if (result[0].status === 'rejected') return
      if (index % 4 === 0) await releaseStock(stores.deps, id)
      else held.push(id)
    }),
  )
  const { rows } = await stores.database.pool.query<{ id: string; reserved: number; sum: number }>(
    `select v.id, v.reserved, coalesce(sum(l.quantity) filter (where r.status = 'held'), 0)::int as sum
     from variants v left join reservation_lines l on l.variant_id = v.id
     left join reservations r on r.id = l.reservation_id
     where v.id = any ($1::uuid[]) group by v.id`,
    [variantIds],
  )
  for (const { reserved, sum } of rows) assert.equal(reserved, sum)
  assert.ok(held.length > 0)
  for (const { id, variants } of products) await assertTold(id, variants[0]?.id)
  assert.equal(await deadlockCount(), 0)
})

/** Deadlocks that PostgreSQL had to end; the retry after them would hide them from the test. */
async function deadlockCount(): Promise<number> {
  await stores.database.pool.query('select pg_stat_force_next_flush()')
  const { rows } = await stores.database.pool.query<{ deadlocks: number }>(
    'select deadlocks from pg_stat_database where datname = current_database()',
  )
  return rows[0]?.deadlocks ?? Number.NaN
}

/** The newest event says the availability of now, and versions grow by one. */
async function assertTold(productId: string, variantId: string | undefined): Promise<void> {
  const events = await eventsOf(stores.database, productId)
  assert.deepEqual(
    events.map(({ data }) => data.version),
    events.map((_, index) => index + 1),
  )
  const { rows } = await stores.database.pool.query<{ available: number }>(
    'select on_hand - reserved as available from variants where id = $1',
    [variantId],
  )
  const available = rows[0]?.available ?? 0
  const expected = available === 0 ? 'out_of_stock' : available <= 5 ? 'low_stock' : 'in_stock'
  assert.equal(events.at(-1)?.data.variants[0]?.availability, expected)
}

test('an availability is told once each time that it changes', async () => {
  const product = await withStock(7)
  const variantId = variantIdOf(product)
  const id = uuidv7()
  await reserve([{ variantId, quantity: 1 }])
  await reserve([{ variantId, quantity: 6 }], id)
  await releaseStock(stores.deps, id)
  await releaseStock(stores.deps, id)
  const events = await eventsOf(stores.database, product.id)
  assert.deepEqual(
    events.map(({ data }) => data.variants[0]?.availability),
    ['in_stock', 'out_of_stock', 'in_stock'],
  )
  assert.deepEqual(await stockOf(stores.database, variantId), { onHand: 7, reserved: 1 })
  const found = await stores.deps.catalogue.find(product.id)
  assert.equal(found?.version, 3)
  assert.match(found?.document ?? '', /"availability":"in_stock"/)
})

test('a released reservation cannot be taken up again', async () => {
  const variantId = variantIdOf(await withStock(7))
  const id = uuidv7()
  await reserve([{ variantId, quantity: 1 }], id)
  await releaseStock(stores.deps, id)
  await assert.rejects(reserve([{ variantId, quantity: 1 }], id), { code: 'RESERVATION_RELEASED' })
  await releaseStock(stores.deps, uuidv7())
})

test('expired reservations free their stock, and only they', async () => {
  const variantId = variantIdOf(await withStock(10))
  const [old, young] = [uuidv7(), uuidv7()]
  await reserve([{ variantId, quantity: 4 }], old)
  await reserve([{ variantId, quantity: 3 }], young)
  await expire(old)
  await Promise.all([releaseAllExpired(), releaseAllExpired()])
  assert.deepEqual(await stockOf(stores.database, variantId), { onHand: 10, reserved: 3 })
})

function order(product: Product, orderId: string, quantity: number) {
  return { messageId: uuidv7(), orderId, lines: [{ variantId: variantIdOf(product), quantity }] }
}

test('a paid order takes its pieces once, however often it is told', async () => {
  const product = await withStock(10)
  const variantId = variantIdOf(product)
  const id = uuidv7()
  await reserve([{ variantId, quantity: 4 }], id)
  const paid = order(product, id, 4)
  await Promise.all([sellReserved(stores.deps, paid), sellReserved(stores.deps, paid)])
  assert.equal(await sellReserved(stores.deps, { ...paid, messageId: uuidv7() }), 0)
  assert.deepEqual(await stockOf(stores.database, variantId), { onHand: 6, reserved: 0 })
  await releaseStock(stores.deps, id)
  assert.deepEqual(await stockOf(stores.database, variantId), { onHand: 6, reserved: 0 })
})

test('an order paid after its reservation expired takes what is left, never more', async () => {
  const product = await withStock(5)
  const variantId = variantIdOf(product)
  const [late, other] = [uuidv7(), uuidv7()]
  await reserve([{ variantId, quantity: 4 }], late)
  await expire(late)
  await releaseAllExpired()
  await reserve([{ variantId, quantity: 2 }], other)
  assert.equal(await sellReserved(stores.deps, order(product, late, 4)), 1)
  assert.deepEqual(await stockOf(stores.database, variantId), { onHand: 2, reserved: 2 })
  const events = await eventsOf(stores.database, product.id)
  assert.equal(events.at(-1)?.data.variants[0]?.availability, 'out_of_stock')
})

test('an order that nobody reserved for is missing all its pieces', async () => {
  const product = await withStock(5)
  assert.equal(await sellReserved(stores.deps, order(product, uuidv7(), 3)), 3)
  assert.deepEqual(await stockOf(stores.database, variantIdOf(product)), { onHand: 5, reserved: 0 })
})

test('a cancelled order frees what it holds and returns what it bought', async () => {
  const product = await withStock(10)
  const variantId = variantIdOf(product)
  const [held, sold] = [uuidv7(), uuidv7()]
  await reserve([{ variantId, quantity: 4 }], held)
  await reserve([{ variantId, quantity: 3 }], sold)
  await sellReserved(stores.deps, order(product, sold, 3))
  for (const orderId of [held, sold]) {
    const cancelled = { messageId: uuidv7(), orderId }
    await cancelReserved(stores.deps, cancelled)
    await cancelReserved(stores.deps, cancelled)
  }
  assert.deepEqual(await stockOf(stores.database, variantId), { onHand: 10, reserved: 0 })
})

test('what came back with refunds is for sale again once, and a cancellation adds only the rest', async () => {
  const product = await withStock(10)
  const variantId = variantIdOf(product)
  const id = uuidv7()
  await reserve([{ variantId, quantity: 4 }], id)
  await sellReserved(stores.deps, order(product, id, 4))
  const returned = order(product, id, 1)
  await Promise.all([
    takeBackReturned(stores.deps, returned),
    takeBackReturned(stores.deps, returned),
  ])
  assert.deepEqual(await stockOf(stores.database, variantId), { onHand: 7, reserved: 0 })
  await takeBackReturned(stores.deps, order(product, id, 2))
  await takeBackReturned(stores.deps, order(product, uuidv7(), 2))
  assert.deepEqual(await stockOf(stores.database, variantId), { onHand: 9, reserved: 0 })
  await cancelReserved(stores.deps, { messageId: uuidv7(), orderId: id })
  await takeBackReturned(stores.deps, order(product, id, 4))
  assert.deepEqual(await stockOf(stores.database, variantId), { onHand: 10, reserved: 0 })
})

test('a reservation that is asked for again holds for the longer time', async () => {
  const variantId = variantIdOf(await withStock(3))
  const id = uuidv7()
  const lines = [{ variantId, quantity: 3 }]
  await reserveStock(stores.deps, { reservationId: id, lines, ttlSeconds: 86_400 })
  await reserve(lines, id)
  const held = async () =>
    (
      await stores.database.pool.query(
        "select expires_at > now() + interval '23 hours' as long from reservations where id = $1",
        [id],
      )
    ).rows[0].long
  assert.equal(await held(), true)
  await expire(id)
  await reserveStock(stores.deps, { reservationId: id, lines, ttlSeconds: 86_400 })
  await releaseAllExpired()
  assert.equal(await held(), true)
  assert.deepEqual(await stockOf(stores.database, variantId), { onHand: 3, reserved: 3 })
})
