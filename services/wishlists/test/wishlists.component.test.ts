import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { uuidv7 } from '@halles/kit/ids'
import { eventually } from '@halles/kit/testing'
import { aProduct, createCaller, createStage, priced, variantOf } from './support.ts'

const stage = await createStage()
after(stage.close)
const app = await stage.startApp()

type App = typeof app

function createCustomer(instance: App = app) {
  return createCaller(instance, stage.tokenFor(uuidv7()))
}

/** Publishes a product and waits until the customer has it on the wishlist. */
async function wish(customer: ReturnType<typeof createCustomer>, product = aProduct()) {
  await stage.publishProduct(product)
  const { variantId } = variantOf(product)
  const item = await eventually(async () => {
    const { status, body } = await customer('PUT', `/items/${variantId}`)
    return status === 200 && body
  })
  return { product, variantId, item }
}

test('a wishlist shows its items newest first, at the price of now and of then', async () => {
  const customer = createCustomer()
  const first = await wish(customer)
  const second = await wish(customer)
  await stage.publishProduct(priced(first.product, 1500))
  const items = await eventually(async () => {
    const { body } = await customer('GET')
    return body.items[1]?.price.amountMinor === 1500 && body.items
  })
  assert.deepEqual(
    items.map(({ variantId }) => variantId),
    [second.variantId, first.variantId],
  )
  assert.equal(items[1]?.priceWhenAdded.amountMinor, 1250)
  assert.deepEqual(items[0], second.item)
  assert.equal((await customer('DELETE', `/items/${first.variantId}`)).status, 204)
  assert.equal((await customer('DELETE', `/items/${first.variantId}`)).status, 204)
  assert.equal((await customer('GET')).body.items.length, 1)
})

test('a wishlist belongs to its customer alone', async () => {
  const { variantId } = await wish(createCustomer())
  assert.deepEqual((await createCustomer()('GET')).body, { items: [] })
  const guest = createCaller(app)
  for (const [method, path] of [
    ['GET', ''],
    ['PUT', `/items/${variantId}`],
    ['DELETE', `/items/${variantId}`],
  ] as const) {
    const { status, body } = await guest(method, path)
    assert.deepEqual([status, body.code], [401, 'AUTHENTICATION_REQUIRED'])
  }
})

test('bad input is refused with the name of the field', async () => {
  const customer = createCustomer()
  for (const [method, path, status, pointer] of [
    ['PUT', `/items/${uuidv7()}`, 404, '/params/variantId'],
    ['PUT', '/items/nonsense', 400, '/params/variantId'],
    ['DELETE', '/items/%00', 400, '/params/variantId'],
    ['GET', '?limit=3', 400, '/query/limit'],
  ] as const) {
    const answer = await customer(method, path)
    assert.deepEqual(
      [answer.status, answer.body.errors?.[0]?.pointer],
      [status, pointer],
      `${method} ${path}`,
    )
  }
})

test('prices that changed while wishlists was down apply when it is back', async () => {
  const instance = await stage.startApp()
  const token = stage.tokenFor(uuidv7())
  const { product } = await wish(createCaller(instance, token))
  await stage.stopApp(instance)
  await stage.stopApp(app)
  await stage.publishProduct(priced(product, 1300))
  await stage.publishProduct(priced(priced(product, 1300), 1400))
  const customer = createCaller(await stage.startApp(), token)
  await eventually(async () => {
    const { body } = await customer('GET')
    return body.items[0]?.price.amountMinor === 1400
  })
})

test('a rebuilt replica is complete again, and stays readable meanwhile', async () => {
  const instance = await stage.startApp()
  const customer = createCustomer(instance)
  const { product } = await wish(customer)
  await stage.publishProduct(priced(product, 1600))
  const priceNow = async () => (await customer('GET')).body.items[0]?.price.amountMinor
  await eventually(async () => (await priceNow()) === 1600)
  await stage.database.pool.query('update replica_variants set amount_minor = 1')
  assert.equal(await priceNow(), 1)
  await instance.rebuildReplica()
  await eventually(async () => (await priceNow()) === 1600)
})
