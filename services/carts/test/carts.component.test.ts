import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { type CartsServiceRpcs, descriptor, serviceName } from '@halles/contracts/gen/grpc/carts'
import { orderPaid } from '@halles/contracts/gen/messages/orders'
import { productRemoved } from '@halles/contracts/gen/messages/products'
import { toServiceDefinition } from '@halles/contracts/grpc'
import { createGrpcClient } from '@halles/kit/grpc-client'
import { uuidv7 } from '@halles/kit/ids'
import { eventually } from '@halles/kit/testing'
import {
  aProduct,
  createCaller,
  createStage,
  internalSecret,
  priced,
  type Shown,
  variantOf,
} from './support.ts'

const stage = await createStage()
after(stage.close)
const app = await stage.startApp()
const guest = createCaller(app)

type App = typeof app

/** Publishes a product and waits until the instance sells it. */
async function sell(product = aProduct(), { instance = app }: { instance?: App } = {}) {
  await stage.publishProduct(product)
  const { id } = await createCaller(instance).cart('POST', '/carts')
  const { variantId } = variantOf(product)
  await eventually(() =>
    createCaller(instance).cart('PUT', `/carts/${id}/lines/${variantId}`, { quantity: 1 }),
  )
  return { product, variantId, cartId: id }
}

function firstLine(cart: Shown) {
  const [line] = cart.lines
  if (!line) throw new Error('The cart is empty.')
  return line
}

test('a guest fills a cart that shows the price of now and of then', async () => {
  const { product, variantId, cartId } = await sell()
  const filled = await guest.cart('PUT', `/carts/${cartId}/lines/${variantId}`, { quantity: 3 })
  assert.deepEqual(filled.total, { amountMinor: 3750, currency: 'EUR' })
  await stage.publishProduct(priced(product, 1500))
  const line = await eventually(async () => {
    const now = firstLine(await guest.cart('GET', `/carts/${cartId}`))
    return now.unitPrice.amountMinor === 1500 && now
  })
  assert.equal(line.unitPriceWhenAdded.amountMinor, 1250)
  assert.deepEqual(line.total, { amountMinor: 4500, currency: 'EUR' })
  const emptied = await guest.cart('DELETE', `/carts/${cartId}/lines/${variantId}`)
  assert.deepEqual([emptied.lines, emptied.total], [[], null])
})

test('a removed product stays in the cart as out of stock and is not added any more', async () => {
  const { product, variantId, cartId } = await sell()
  await stage.publish(productRemoved, { ...product, version: 2, status: 'removed' })
  await eventually(async () => {
    const { availability } = firstLine(await guest.cart('GET', `/carts/${cartId}`))
    return availability === 'out_of_stock'
  })
  const refused = await guest.call('PUT', `/carts/${cartId}/lines/${variantId}`, { quantity: 2 })
  assert.equal(refused.status, 404)
  assert.equal(refused.body.code, 'VARIANT_NOT_FOUND')
  assert.deepEqual(refused.body.errors, [
    { pointer: '/params/variantId', detail: 'is not a variant on sale' },
  ])
})

test('a variant that is out of stock can be put, and says so', async () => {
  const outOfStock = { ...variantOf(aProduct()), availability: 'out_of_stock' as const }
  const { cartId } = await sell(aProduct({ variants: [outOfStock] }))
  const cart = await guest.cart('GET', `/carts/${cartId}`)
  assert.equal(firstLine(cart).availability, 'out_of_stock')
})

test('a customer has one current cart, which nobody else finds', async () => {
  const subject = uuidv7()
  const customer = createCaller(app, stage.tokenFor(subject))
  const stranger = createCaller(app, stage.tokenFor(uuidv7()))
  const { variantId } = await sell()
  const cart = await customer.cart('GET', '/carts/current')
  assert.equal(cart.customerId, subject)
  assert.equal((await customer.cart('POST', '/carts')).id, cart.id)
  for (const caller of [guest, stranger]) {
    for (const [method, path, body] of [
      ['GET', `/carts/${cart.id}`],
      ['PUT', `/carts/${cart.id}/lines/${variantId}`, { quantity: 1 }],
      ['DELETE', `/carts/${cart.id}/lines/${variantId}`],
      ['GET', `/carts/${cart.id}/events`],
    ] as const) {
      const { status, body: problem } = await caller.call(method, path, body)
      assert.deepEqual([status, problem.code], [404, 'CART_NOT_FOUND'], `${method} ${path}`)
    }
  }
  assert.equal((await stranger.call('POST', `/carts/${cart.id}/claim`)).status, 404)
  assert.equal((await guest.call('GET', '/carts/current')).status, 401)
  assert.equal((await guest.call('POST', `/carts/${cart.id}/claim`)).status, 401)
})

test('a guest who signs in takes the cart along', async () => {
  const { variantId, cartId } = await sell()
  const customer = createCaller(app, stage.tokenFor(uuidv7()))
  const merged = await customer.cart('POST', `/carts/${cartId}/claim`)
  assert.equal(firstLine(merged).variantId, variantId)
  assert.deepEqual(await customer.cart('POST', `/carts/${cartId}/claim`), merged)
  assert.deepEqual(await customer.cart('GET', '/carts/current'), merged)
  assert.equal((await guest.call('GET', `/carts/${cartId}`)).status, 404)
})

test('bad input is refused with the name of the field', async () => {
  const { variantId, cartId } = await sell()
  const line = `/carts/${cartId}/lines/${variantId}`
  for (const [method, path, body, status, pointer] of [
    ['PUT', line, { quantity: 0 }, 400, '/body/quantity'],
    ['PUT', line, { quantity: 1_000 }, 400, '/body/quantity'],
    ['PUT', line, { quantity: -1 }, 400, '/body/quantity'],
    ['PUT', line, { quantity: 1.5 }, 400, '/body/quantity'],
    ['PUT', line, { quantity: '2' }, 400, '/body/quantity'],
    ['PUT', line, { quantity: 1, price: 1 }, 400, '/body/price'],
    ['PUT', line, {}, 400, '/body/quantity'],
    ['PUT', line, '{', 400, '/body'],
    ['PUT', `/carts/nonsense/lines/${variantId}`, { quantity: 1 }, 400, '/params/cartId'],
    ['PUT', `/carts/${cartId}/lines/%00`, { quantity: 1 }, 400, '/params/variantId'],
    ['PUT', `/carts/${cartId}/lines/${uuidv7()}`, { quantity: 1 }, 404, '/params/variantId'],
    ['PUT', `/carts/${uuidv7()}/lines/${variantId}`, { quantity: 1 }, 404, '/params/cartId'],
    ['GET', `/carts/${cartId}?extra=1`, undefined, 400, '/query/extra'],
    ['GET', `/carts/${uuidv7()}`, undefined, 404, '/params/cartId'],
  ] as const) {
    const answer = await guest.call(method, path, body)
    const [fault] = answer.body.errors ?? []
    const what = `${method} ${path} ${JSON.stringify(body)}`
    assert.deepEqual([answer.status, fault?.pointer], [status, pointer], what)
  }
})

test('a cart takes one currency and a hundred lines', async () => {
  const { cartId, product } = await sell()
  const variants = Array.from({ length: 100 }, (_, index) => ({
    ...variantOf(aProduct()),
    sku: `MANY-${index}`,
  }))
  await sell({ ...product, productId: uuidv7(), variants })
  const dollars = await sell(priced(aProduct(), 100, 'USD'))
  const put = (variantId: string) =>
    guest.call('PUT', `/carts/${cartId}/lines/${variantId}`, { quantity: 1 })
  const mixed = await put(dollars.variantId)
  assert.deepEqual([mixed.status, mixed.body.code], [409, 'CURRENCY_MISMATCH'])
  const answers = await Promise.all(variants.map(({ variantId }) => put(variantId)))
  const refused = answers.filter(({ status }) => status !== 200)
  assert.deepEqual(
    refused.map(({ body }) => body.code),
    ['CART_FULL'],
  )
  assert.equal((await guest.cart('GET', `/carts/${cartId}`)).lines.length, 100)
})

test('prices that changed while carts was down apply when it is back', async () => {
  const { product, variantId, cartId } = await sell()
  let version = product
  await stage.stopApp(app)
  for (const amountMinor of [1300, 1400, 1500]) {
    version = priced(version, amountMinor)
    await stage.publishProduct(version)
  }
  const again = await stage.startApp()
  const caller = createCaller(again)
  const line = await eventually(async () => {
    const now = firstLine(await caller.cart('GET', `/carts/${cartId}`))
    return now.unitPrice.amountMinor === 1500 && now
  })
  assert.deepEqual([line.variantId, line.unitPriceWhenAdded.amountMinor], [variantId, 1250])
})

test('what an order paid for leaves its cart', async () => {
  const instance = await stage.startApp()
  const caller = createCaller(instance)
  const { product, variantId, cartId } = await sell(aProduct(), { instance })
  await caller.cart('PUT', `/carts/${cartId}/lines/${variantId}`, { quantity: 5 })
  const unitPrice = { amountMinor: 1250, currency: 'EUR' }
  await stage.publish(orderPaid, {
    orderId: uuidv7(),
    version: 2,
    cartId,
    customerId: null,
    status: 'paid',
    total: unitPrice,
    lines: [{ variantId, productId: product.productId, quantity: 4, unitPrice }],
  })
  await eventually(async () => {
    const cart = await caller.cart('GET', `/carts/${cartId}`)
    return firstLine(cart).quantity === 1
  })
})

test('orders reads a cart by gRPC, for the owner alone', async () => {
  const instance = await stage.startApp()
  const client = createGrpcClient<CartsServiceRpcs>({
    name: 'carts',
    definition: toServiceDefinition(descriptor, serviceName),
    addresses: [`127.0.0.1:${instance.grpcPort()}`],
    internalSecret,
    defaultDeadlineMs: 5_000,
  })
  try {
    const { variantId, cartId } = await sell(aProduct(), { instance })
    const line = { variantId, quantity: 1, unitAmountMinor: 1250, currency: 'EUR' }
    const reply = await client.getCart({ cartId, subjectId: '' })
    assert.deepEqual(reply, { cartId, lines: [line] })
    const subjectId = uuidv7()
    const customer = createCaller(instance, stage.tokenFor(subjectId))
    const own = await customer.cart('POST', `/carts/${cartId}/claim`)
    assert.deepEqual((await client.getCart({ cartId: own.id, subjectId })).lines, [line])
    for (const request of [
      { cartId: own.id, subjectId: '' },
      { cartId: own.id, subjectId: uuidv7() },
      { cartId, subjectId },
      { cartId: uuidv7(), subjectId: '' },
      { cartId: 'nonsense', subjectId: '' },
    ]) {
      await assert.rejects(client.getCart(request), { kind: 'not-found', code: 'CART_NOT_FOUND' })
    }
  } finally {
    client.close()
  }
})

// A stream waits for ever for an event that does not come.
const bounded = { timeout: 30_000 }

test('a stream shows each change, also one that another instance applied', bounded, async () => {
  const [watching, other] = [await stage.startApp(), await stage.startApp()]
  const { product, variantId, cartId } = await sell(aProduct(), { instance: other })
  const { events, close } = await createCaller(watching).stream(`/carts/${cartId}/events`)
  try {
    const next = async () => {
      const { value } = await events.next()
      if (!value) throw new Error('The stream ended.')
      return firstLine(value)
    }
    assert.equal((await next()).quantity, 1)
    await createCaller(other).cart('PUT', `/carts/${cartId}/lines/${variantId}`, { quantity: 2 })
    assert.equal((await next()).quantity, 2)
    // The topic's partitions are spread over the instances, so others apply most of these.
    let version = product
    for (const amountMinor of [1300, 1400]) {
      version = priced(version, amountMinor)
      await stage.publishProduct(version)
      assert.equal((await next()).unitPrice.amountMinor, amountMinor)
    }
    const [variant] = version.variants
    if (!variant) throw new Error('The product has no variant.')
    const variants = [{ ...variant, availability: 'low_stock' as const }]
    await stage.publishProduct({ ...version, version: version.version + 1, variants })
    assert.equal((await next()).availability, 'low_stock')
    // Claimed by its holder, the guest's cart is no more.
    await createCaller(other, stage.tokenFor(uuidv7())).cart('POST', `/carts/${cartId}/claim`)
    assert.equal((await events.next()).done, true)
  } finally {
    close()
  }
})

test('a stream outlives the loss of every database connection', bounded, async () => {
  const instance = await stage.startApp()
  const { variantId, cartId } = await sell(aProduct(), { instance })
  const caller = createCaller(instance)
  const { events, close } = await caller.stream(`/carts/${cartId}/events`)
  try {
    assert.equal((await events.next()).value?.id, cartId)
    await stage.database.pool.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and pid <> pg_backend_pid()`,
    )
    await eventually(() =>
      caller.cart('PUT', `/carts/${cartId}/lines/${variantId}`, { quantity: 7 }),
    )
    const { value } = await events.next()
    assert.equal(value?.lines[0]?.quantity, 7)
  } finally {
    close()
  }
})

test(
  'a process serves a bounded number of streams and ends them at its stop',
  bounded,
  async () => {
    const instance = await stage.startApp({ MAX_STREAMS: '1' })
    const caller = createCaller(instance)
    const { id } = await caller.cart('POST', '/carts')
    const first = await caller.stream(`/carts/${id}/events`)
    assert.equal((await first.events.next()).value?.id, id)
    const refused = await caller.call('GET', `/carts/${id}/events`)
    assert.deepEqual([refused.status, refused.body.code], [503, 'TOO_MANY_STREAMS'])
    first.close()
    const second = await eventually(() => caller.stream(`/carts/${id}/events`))
    assert.equal((await second.events.next()).value?.id, id)
    await stage.stopApp(instance)
    assert.equal((await second.events.next()).done, true)
  },
)

test('a rebuilt replica is complete again, and stays readable meanwhile', async () => {
  const instance = await stage.startApp()
  const caller = createCaller(instance)
  const { product, cartId } = await sell(aProduct(), { instance })
  await stage.publishProduct(priced(product, 1600))
  const showsPrice = (amountMinor: number) => async () => {
    const cart = await caller.cart('GET', `/carts/${cartId}`)
    return firstLine(cart).unitPrice.amountMinor === amountMinor
  }
  await eventually(showsPrice(1600))
  await stage.database.pool.query(`update replica_variants set amount_minor = 1, status = 'draft'`)
  assert.equal(await showsPrice(1)(), true)
  await instance.rebuildReplica()
  await eventually(showsPrice(1600))
  await eventually(async () => {
    const { rows } = await stage.database.pool.query(
      `select count(*)::integer as left from replica_variants where status = 'draft'`,
    )
    return rows[0].left === 0
  })
})
