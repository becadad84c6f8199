import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { sql } from '@halles/kit/database'
import { uuidv7 } from '@halles/kit/ids'
import { eventually } from '@halles/kit/testing'
import fc from 'fast-check'
import { maxLines, type ReplicaProduct } from '../src/domain.ts'
import { createCartStore } from '../src/store/carts.ts'
import { createReplicaStore } from '../src/store/replica.ts'
import { aProduct, createCartDatabase, priced, variantOf } from './support.ts'

const data = await createCartDatabase()
after(data.drop)
const { database } = data
const replica = createReplicaStore(database)

const selectReplica = sql(
  'test.select_replica',
  `select variant_id as "variantId", product_title as title, amount_minor as "amountMinor",
     availability, status from replica_variants where product_id = $1 order by variant_id`,
)

function readReplica(productId: string) {
  return database.query<{ variantId: string; status: string }>(selectReplica, [productId])
}

const variantIds = Array.from({ length: 4 }, () => uuidv7())
const states = fc.array(
  fc.record({
    title: fc.constantFrom('Mug', 'Cup'),
    status: fc.constantFrom('active' as const, 'draft' as const, 'removed' as const),
    variants: fc.subarray(variantIds).chain((ids) =>
      fc.tuple(
        ...ids.map((variantId) =>
          fc.record({
            variantId: fc.constant(variantId),
            title: fc.constant('Blue'),
            price: fc.record({
              amountMinor: fc.integer({ min: 0, max: 99_999_999_999 }),
              currency: fc.constant('EUR'),
            }),
            availability: fc.constantFrom('in_stock' as const, 'out_of_stock' as const),
          }),
        ),
      ),
    ),
  }),
  { minLength: 1, maxLength: 6 },
)

async function freshProduct(): Promise<string> {
  await database.run(sql('test.clear_variants', 'delete from replica_variants'))
  return uuidv7()
}

/** What a shopper may see of each variant: a variant that is gone looks like one never known. */
async function sellable(productId: string) {
  return (await readReplica(productId)).filter(({ status }) => status === 'sellable')
}

test('any order and repetition of the states of a product ends with the newest', async () => {
  await fc.assert(
    fc.asyncProperty(
      states.chain((list) =>
        fc.tuple(
          fc.constant(list),
          fc.shuffledSubarray([...list.keys(), ...list.keys()], { minLength: 1 }),
        ),
      ),
      fc.boolean(),
      async ([list, order], isAtOnce) => {
        const newest = Math.max(...order)
        const versionOf = (productId: string, index: number): ReplicaProduct => {
          const state = list[index]
          if (!state) throw new Error('There is no such state.')
          return { productId, version: index + 1, ...state }
        }
        const alone = await freshProduct()
        await replica.apply(versionOf(alone, newest))
        const expected = await sellable(alone)

        const productId = await freshProduct()
        const applications = order.map((index) => () => replica.apply(versionOf(productId, index)))
        if (isAtOnce) await Promise.all(applications.map((apply) => apply()))
        else for (const apply of applications) await apply()
        assert.deepEqual(await sellable(productId), expected)
      },
    ),
    { numRuns: 60 },
  )
})

test('a variant that vanished from its product is no longer on sale', async () => {
  const product = aProduct()
  const [blue, red] = [variantOf(product), { ...variantOf(aProduct()), sku: 'MUG-2', title: 'Red' }]
  await replica.apply({ ...product, variants: [blue, red] })
  await replica.apply({ ...product, version: 2, variants: [red] })
  const rows = await readReplica(product.productId)
  assert.deepEqual(
    new Map(rows.map(({ variantId, status }) => [variantId, status])),
    new Map([
      [blue.variantId, 'removed'],
      [red.variantId, 'sellable'],
    ]),
  )
})

const moveVersion = sql(
  'test.move_version',
  'update replica_products set version = 2 where product_id = $1',
)
const addVariant = sql(
  'test.add_variant',
  `insert into replica_variants values ($1, $2, 'Mug', 'Red', 1, 'EUR', 'in_stock', 'sellable')`,
)
const countWaiting = sql(
  'test.count_waiting',
  `select count(*) as waiting from pg_stat_activity
   where datname = current_database() and wait_event_type = 'Lock'`,
)

test('a state that waited for an earlier one sees what that one wrote', async () => {
  const product = aProduct()
  const added = uuidv7()
  await replica.apply(product)
  let newest: Promise<number> | undefined
  await database.transaction(async (tx) => {
    await tx.run(moveVersion, [product.productId])
    await tx.run(addVariant, [added, product.productId])
    newest = replica.apply({ ...product, version: 3 })
    await eventually(async () => {
      const row = await database.maybe<{ waiting: number }>(countWaiting)
      return row?.waiting === 1
    })
  })
  assert.equal(await newest, 1)
  const rows = await readReplica(product.productId)
  assert.equal(rows.find(({ variantId }) => variantId === added)?.status, 'removed')
})

const countTouched = sql(
  'test.count_touched',
  `select
     (select count(*) from carts where xmin::text::bigint >= $1) as carts,
     (select count(*) from cart_lines where xmin::text::bigint >= $1) as lines,
     (select count(*) from replica_variants where xmin::text::bigint >= $1) as variants,
     (select count(*) from replica_products where xmin::text::bigint >= $1) as products`,
)
const nextTransaction = sql(
  'test.next_transaction',
  'select pg_snapshot_xmax(pg_current_snapshot())::text::bigint as id',
)
const fillCarts = sql(
  'test.fill_carts',
  `with made as (
     insert into carts (id, updated_at) select gen_random_uuid(), now() from generate_series(1, $1)
     returning id
   )
   insert into cart_lines (cart_id, variant_id, quantity, added_amount_minor, added_currency)
   select id, $2, 1, 1250, 'EUR' from made returning cart_id as "cartId"`,
)

test('a new price is one row of the replica, however many carts hold the product', async () => {
  const product = aProduct()
  const second = { ...variantOf(aProduct()), sku: 'MUG-2', title: 'Red' }
  const twoVariants = { ...product, variants: [...product.variants, second] }
  await replica.apply(twoVariants)
  const held = await database.query<{ cartId: string }>(fillCarts, [
    1_000,
    variantOf(product).variantId,
  ])
  const before = await database.one<{ id: number }>(nextTransaction, [], () => new Error('none'))
  assert.equal(await replica.apply(priced(twoVariants, 1400)), 1)
  const touched = await database.maybe(countTouched, [before.id])
  assert.deepEqual(touched, { carts: 0, lines: 0, variants: 1, products: 1 })
  const carts = createCartStore(database)
  const shown = await carts.readMany(held.slice(0, 100).map(({ cartId }) => cartId))
  assert.equal(shown.length, 100)
  for (const { lines } of shown) {
    assert.equal(lines[0]?.unitPrice.amountMinor, 1400)
    assert.equal(lines[0]?.unitPriceWhenAdded.amountMinor, 1250)
  }
})

test('after versions are forgotten the same state repairs what was damaged', async () => {
  const product = aProduct({ version: 7 })
  const { variantId } = variantOf(product)
  await replica.apply(product)
  const damage = sql(
    'test.damage',
    'update replica_variants set amount_minor = 1 where variant_id = $1',
  )
  await database.run(damage, [variantId])
  assert.equal(await replica.apply(product), 0)
  await replica.forgetVersions()
  assert.equal(await replica.apply(product), 1)
  const carts = createCartStore(database)
  const { id: cartId } = await carts.createGuestCart(uuidv7(), new Date())
  const put = { cartId, variantId, quantity: 1, customerId: null }
  const { cart } = await carts.putLine(put, { maxLines, at: new Date() })
  assert.equal(cart.lines[0]?.unitPrice.amountMinor, 1250)
})
