import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import {
  type ProductState,
  priceChanged,
  productChanged,
} from '@halles/contracts/gen/messages/products'
import { AppError } from '@halles/kit/errors'
import { createRebuilds } from '@halles/kit/rebuilds'
import { eventually, silentLogger } from '@halles/kit/testing'
import {
  aProduct,
  createCaller,
  createStage,
  internalSecret,
  priced,
  variantOf,
} from './support.ts'

const stage = await createStage()
after(stage.close)
const { pool } = stage.database
const group = 'carts'

type App = Awaited<ReturnType<typeof stage.startApp>>

/** A guest's cart with the product, in the instance that is running. */
async function show(app: App, product: ProductState) {
  const caller = createCaller(app)
  const { id } = await caller.cart('POST', '/carts')
  const { variantId } = variantOf(product)
  await eventually(() => caller.cart('PUT', `/carts/${id}/lines/${variantId}`, { quantity: 1 }))
  return id
}

async function priceIn(app: App, cartId: string): Promise<number | undefined> {
  const cart = await createCaller(app).cart('GET', `/carts/${cartId}`)
  return cart.lines[0]?.unitPrice.amountMinor
}

/** One instance at a time: which of several applies a message is chance. */
async function withApp<T>(work: (app: App) => Promise<T>): Promise<T> {
  const app = await stage.startApp()
  try {
    return await work(app)
  } finally {
    await stage.stopApp(app)
  }
}

async function askRebuild(app: App, authorization = `Internal ${internalSecret}`) {
  const url = `http://127.0.0.1:${app.httpPort()}/internal/v1/replica/rebuilds`
  const answer = await fetch(url, { method: 'POST', headers: { authorization } })
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
}

test('a replica that was lost is whole again after a start, though nothing new was published', async () => {
  const product = aProduct()
  await stage.publishProduct(product)
  await stage.publishProduct(priced(product, 1500))
  const cartId = await withApp(async (app) => {
    const shown = await show(app, product)
    await eventually(async () => assert.equal(await priceIn(app, shown), 1500))
    return shown
  })
  await pool.query('truncate replica_products, replica_variants')
  await withApp((app) => eventually(async () => assert.equal(await priceIn(app, cartId), 1500)))
})

test('a rebuild that was broken off is begun again at the next start', async () => {
  const product = aProduct()
  await stage.publishProduct(product)
  const cartId = await withApp((app) => show(app, product))
  await pool.query('update replica_state set is_whole = false')
  await pool.query('update replica_products set version = 0')
  await pool.query('update replica_variants set amount_minor = 1')
  await withApp((app) => eventually(async () => assert.equal(await priceIn(app, cartId), 1250)))
})

test('a service is asked to rebuild by other services alone, one rebuild at a time', async () => {
  const product = aProduct()
  await stage.publishProduct(product)
  await withApp(async (app) => {
    const cartId = await show(app, product)
    await eventually(async () => {
      const { rows } = await pool.query('select is_whole from replica_state')
      assert.equal(rows[0]?.is_whole, true)
    })
    await pool.query('update replica_variants set amount_minor = 1')
    assert.equal((await askRebuild(app, 'Bearer x')).status, 401)
    const other = await pool.connect()
    try {
      await other.query("select pg_advisory_lock(hashtext('replica rebuild'))")
      const refused = await askRebuild(app)
      assert.deepEqual([refused.status, refused.body.code], [409, 'REBUILD_UNDER_WAY'])
    } finally {
      other.release(true)
    }
    const done = await eventually(async () => {
      const answer = await askRebuild(app)
      assert.equal(answer.status, 200)
      return answer.body as { messages: number; products: number }
    })
    assert.ok(done.products >= 1 && done.messages >= done.products)
    assert.equal(await priceIn(app, cartId), 1250)
  })
})

test('a rebuild passes over a message that cannot be read', async () => {
  const product = aProduct()
  await stage.publishProduct(product)
  await stage.publish(productChanged, { productId: 'poison' } as unknown as ProductState)
  await withApp(async (app) => {
    const cartId = await show(app, product)
    await pool.query('update replica_variants set amount_minor = 1')
    await app.rebuildReplica()
    assert.equal(await priceIn(app, cartId), 1250)
  })
})

test('an incomplete replica is rebuilt as soon as the broker is back', async () => {
  let tries = 0
  const done = Promise.withResolvers<void>()
  const { check, repair } = createRebuilds({
    replica: { isWhole: async () => false, exclusively: (work) => work() },
    async rebuild() {
      tries += 1
      if (tries < 3) throw new AppError('unavailable', 'MESSAGES_UNAVAILABLE', 'It is away.')
      done.resolve()
      return { messages: 0, products: 0 }
    },
    logger: silentLogger(),
  })
  await check.start?.()
  await repair.start?.()
  await done.promise
  await repair.stop?.()
  assert.equal(tries, 3)
})

test('an old price that is replayed late does not undo a newer one', async () => {
  const product = aProduct()
  await stage.publishProduct(product)
  const cartId = await withApp((app) => show(app, product))
  // While carts is away, its group refuses the old price, which becomes a dead letter.
  const old = priced(product, 1300)
  await stage.publish(priceChanged, old)
  const letter = await stage.refuseMessages(group, async (deadLetters) => {
    const { items } = await deadLetters.list({ limit: 100, type: priceChanged.type })
    return items.find(({ message }) => message.subject === product.productId)
  })
  await stage.publish(priceChanged, priced(old, 1400))
  await withApp(async (app) => {
    await eventually(async () => assert.equal(await priceIn(app, cartId), 1400))
    await stage.replayDeadLetter(letter.id)
    await eventually(async () => {
      const { queues, deadLetters } = await stage.brokerStats()
      assert.equal(
        queues.reduce((sum, { depth }) => sum + depth, 0),
        0,
      )
      // What is left is the poison of another test.
      assert.equal(deadLetters, 1)
    })
    assert.equal(await priceIn(app, cartId), 1400)
  })
})
