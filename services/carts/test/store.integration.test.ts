import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { sql } from '@halles/kit/database'
import { uuidv7 } from '@halles/kit/ids'
import { acceptPut, maxLines, mergeCarts } from '../src/domain.ts'
import { createCartStore } from '../src/store/carts.ts'
import { createReplicaStore } from '../src/store/replica.ts'
import { aProduct, createCartDatabase, priced, variantOf } from './support.ts'

const data = await createCartDatabase()
after(data.drop)
const { database } = data
const carts = createCartStore(database)
const replica = createReplicaStore(database)
const at = new Date()
const limits = { maxLines, at }

async function productOnSale(amountMinor = 1000, currency = 'EUR') {
  const product = priced(aProduct(), amountMinor, currency)
  await replica.apply(product)
  return product
}

async function guestCart() {
  return (await carts.createGuestCart(uuidv7(), at)).id
}

function put(
  cartId: string,
  variantId: string,
  quantity: number,
  customerId: string | null = null,
) {
  return carts.putLine({ cartId, variantId, quantity, customerId }, limits)
}

test('a put answers with the whole cart, in the order of adding', async () => {
  const cartId = await guestCart()
  const products = [await productOnSale(300), await productOnSale(200), await productOnSale(100)]
  for (const product of products) await put(cartId, variantOf(product).variantId, 2)
  const { cart, isChanged } = await put(cartId, variantOf(products[0] ?? aProduct()).variantId, 5)
  assert.equal(isChanged, true)
  assert.deepEqual(
    cart.lines.map(({ quantity, unitPrice }) => [quantity, unitPrice.amountMinor]),
    [
      [5, 300],
      [2, 200],
      [2, 100],
    ],
  )
  assert.equal(cart.version, 5)
  assert.deepEqual(await carts.read(cartId), cart)
})

test('putting the same quantity again changes nothing', async () => {
  const cartId = await guestCart()
  const { variantId } = variantOf(await productOnSale())
  const first = await put(cartId, variantId, 2)
  const second = await put(cartId, variantId, 2)
  assert.equal(second.isChanged, false)
  assert.deepEqual(second.cart, first.cart)
})

test('a line keeps the price of its adding until it is removed', async () => {
  const cartId = await guestCart()
  const product = await productOnSale(1000)
  const { variantId } = variantOf(product)
  await put(cartId, variantId, 1)
  await replica.apply(priced(product, 1500))
  const { cart } = await put(cartId, variantId, 2)
  assert.equal(cart.lines[0]?.unitPrice.amountMinor, 1500)
  assert.equal(cart.lines[0]?.unitPriceWhenAdded.amountMinor, 1000)
  const removed = await carts.removeLine({ cartId, variantId, customerId: null }, at)
  assert.deepEqual(removed.cart.lines, [])
  const again = await put(cartId, variantId, 1)
  assert.equal(again.cart.lines[0]?.unitPriceWhenAdded.amountMinor, 1500)
})

test('removing a line that is not there changes nothing', async () => {
  const cartId = await guestCart()
  const { variantId } = variantOf(await productOnSale())
  const removed = await carts.removeLine({ cartId, variantId, customerId: null }, at)
  assert.deepEqual([removed.isChanged, removed.cart.version], [false, 1])
})

test('a variant of another currency or not on sale is not put', async () => {
  const cartId = await guestCart()
  await put(cartId, variantOf(await productOnSale()).variantId, 1)
  const dollars = variantOf(await productOnSale(5, 'USD')).variantId
  const outcome = await put(cartId, dollars, 1)
  assert.throws(() => acceptPut(outcome), { code: 'CURRENCY_MISMATCH' })
  const draft = { ...aProduct(), status: 'draft' as const }
  await replica.apply(draft)
  for (const variantId of [variantOf(draft).variantId, uuidv7()]) {
    const refused = await put(cartId, variantId, 1)
    assert.throws(() => acceptPut(refused), { code: 'VARIANT_NOT_FOUND' })
  }
  assert.equal((await carts.read(cartId))?.lines.length, 1)
})

test("a customer's cart is changed by that customer alone", async () => {
  const owner = uuidv7()
  const { id: cartId } = await carts.createCurrent(uuidv7(), owner, at)
  const { variantId } = variantOf(await productOnSale())
  await put(cartId, variantId, 1, owner)
  for (const customerId of [null, uuidv7()]) {
    const line = { cartId, variantId, customerId }
    await assert.rejects(put(cartId, variantId, 9, customerId), { code: 'CART_NOT_FOUND' })
    await assert.rejects(carts.removeLine(line, at), { code: 'CART_NOT_FOUND' })
  }
  assert.equal((await carts.readCurrent(owner))?.lines[0]?.quantity, 1)
})

test('a customer who asks many times at once has one cart', async () => {
  const owner = uuidv7()
  const made = await Promise.all(
    Array.from({ length: 10 }, () => carts.createCurrent(uuidv7(), owner, at)),
  )
  assert.equal(new Set(made.map(({ id }) => id)).size, 1)
})

test('a hundred puts at once on one cart leave exactly their lines', async () => {
  const cartId = await guestCart()
  const products = await Promise.all(Array.from({ length: 20 }, () => productOnSale()))
  const puts = Array.from({ length: 100 }, (_, index) => {
    const { variantId } = variantOf(products[index % 20] ?? aProduct())
    return put(cartId, variantId, 1 + Math.floor(index / 20))
  })
  const outcomes = await Promise.all(puts)
  const cart = await carts.read(cartId)
  assert.equal(cart?.lines.length, 20)
  const changes = outcomes.filter(({ isChanged }) => isChanged)
  assert.equal(cart?.version, 1 + changes.length)
  // Each answer shows what was there at its version: none is stale.
  const byVersion = changes.map((outcome) => outcome.cart).sort((a, b) => a.version - b.version)
  assert.deepEqual(byVersion.at(-1), cart)
  for (const [index, { lines }] of byVersion.entries()) {
    assert.ok(lines.length >= (byVersion[index - 1]?.lines.length ?? 0))
  }
})

test('puts at once never exceed the lines of a cart', async () => {
  const cartId = await guestCart()
  const products = await Promise.all(Array.from({ length: 12 }, () => productOnSale()))
  const outcomes = await Promise.all(
    products.map((product) =>
      carts.putLine(
        { cartId, variantId: variantOf(product).variantId, quantity: 1, customerId: null },
        { maxLines: 5, at },
      ),
    ),
  )
  assert.equal(outcomes.filter(({ isChanged }) => isChanged).length, 5)
  assert.equal((await carts.read(cartId))?.lines.length, 5)
})

async function claim(cartId: string, customerId: string) {
  return carts.claim({ cartId, customerId, newCartId: uuidv7(), at }, mergeCarts)
}

test('claiming merges once, answers the same again, and is refused to others', async () => {
  const owner = uuidv7()
  const [shared, other] = [await productOnSale(), await productOnSale()]
  const own = await carts.createCurrent(uuidv7(), owner, at)
  await put(own.id, variantOf(shared).variantId, 1, owner)
  const guestId = await guestCart()
  await put(guestId, variantOf(shared).variantId, 2)
  await put(guestId, variantOf(other).variantId, 4)
  const merged = await claim(guestId, owner)
  assert.equal(merged.id, own.id)
  assert.deepEqual(
    merged.lines.map(({ quantity }) => quantity),
    [3, 4],
  )
  assert.deepEqual(await claim(guestId, owner), merged)
  assert.deepEqual(await claim(own.id, owner), merged)
  await assert.rejects(claim(guestId, uuidv7()), { code: 'CART_NOT_FOUND' })
  await assert.rejects(claim(own.id, uuidv7()), { code: 'CART_NOT_FOUND' })
  await assert.rejects(claim(uuidv7(), owner), { code: 'CART_NOT_FOUND' })
  assert.equal(await carts.read(guestId), undefined)
})

test('claims and puts at once lose nothing and count nothing twice', async () => {
  const owner = uuidv7()
  const product = await productOnSale()
  const { variantId } = variantOf(product)
  const guests = await Promise.all(
    Array.from({ length: 8 }, async () => {
      const id = await guestCart()
      await put(id, variantId, 1)
      return id
    }),
  )
  const other = variantOf(await productOnSale()).variantId
  const own = await carts.createCurrent(uuidv7(), owner, at)
  await Promise.all([
    ...guests.flatMap((id) => [claim(id, owner), claim(id, owner)]),
    ...Array.from({ length: 8 }, (_, index) => put(own.id, other, index + 1, owner)),
  ])
  const cart = await carts.readCurrent(owner)
  assert.equal(cart?.lines.find((line) => line.variantId === variantId)?.quantity, 8)
  assert.equal(cart?.lines.length, 2)
})

test('what was paid leaves the cart once, also when the cart was claimed meanwhile', async () => {
  const owner = uuidv7()
  const [wanted, rest] = [await productOnSale(), await productOnSale()]
  const guestId = await guestCart()
  await put(guestId, variantOf(wanted).variantId, 2)
  await put(guestId, variantOf(rest).variantId, 5)
  const lines = [
    { variantId: variantOf(wanted).variantId, quantity: 2 },
    { variantId: variantOf(rest).variantId, quantity: 3 },
    { variantId: uuidv7(), quantity: 1 },
  ]
  const purchase = { messageId: uuidv7(), cartId: guestId, lines }
  const { id } = await claim(guestId, owner)
  assert.equal(await carts.removeBought(purchase, at), id)
  assert.equal(await carts.removeBought(purchase, at), undefined)
  const cart = await carts.readCurrent(owner)
  assert.deepEqual(
    cart?.lines.map(({ quantity }) => quantity),
    [2],
  )
  const gone = { messageId: uuidv7(), cartId: uuidv7(), lines }
  assert.equal(await carts.removeBought(gone, at), undefined)
})

test("only guests' carts that nobody touched since are removed", async () => {
  const old = new Date('2020-03-01T00:00:00Z')
  const { variantId } = variantOf(await productOnSale())
  const oldId = () => uuidv7(old.getTime())
  const abandoned = (await carts.createGuestCart(oldId(), old)).id
  await carts.putLine(
    { cartId: abandoned, variantId, quantity: 1, customerId: null },
    {
      maxLines,
      at: old,
    },
  )
  const touched = (await carts.createGuestCart(oldId(), old)).id
  await put(touched, variantId, 1)
  const owned = await carts.createCurrent(oldId(), uuidv7(), old)
  assert.equal(await carts.removeGuestCarts(new Date('2020-04-01T00:00:00Z'), 10), 1)
  assert.equal(await carts.read(abandoned), undefined)
  assert.ok(await carts.read(touched))
  assert.ok(await carts.read(owned.id))
  const left = await database.query(
    sql('test.left_lines', 'select 1 from cart_lines where cart_id = $1'),
    [abandoned],
  )
  assert.equal(left.length, 0)
})
