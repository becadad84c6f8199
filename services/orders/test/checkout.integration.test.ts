import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { sql } from '@halles/kit/database'
import { AppError } from '@halles/kit/errors'
import { uuidv7 } from '@halles/kit/ids'
import { outboxSchema } from '@halles/kit/outbox'
import { createTestDatabase, eventually } from '@halles/kit/testing'
import type { Deps } from '../src/ports.ts'
import { createCheckoutStore } from '../src/store/checkouts.ts'
import { createOrderStore } from '../src/store/orders.ts'
import { createUnfinishedStore } from '../src/store/unfinished.ts'
import { type PlaceOrder, placeOrder } from '../src/use-cases/place-order.ts'
import { settlePayment } from '../src/use-cases/settle-payment.ts'
import { sweepCheckouts } from '../src/use-cases/sweep-checkouts.ts'
import { type FakeNeighbours, fakeNeighbours } from './fake-neighbours.ts'
import { aCommand, aLine, gbp, provider, testDeps } from './fixtures.ts'

const { database, drop } = await createTestDatabase({
  directory: new URL('../migrations', import.meta.url).pathname,
  schemas: [outboxSchema],
})
after(drop)

const orders = createOrderStore(database)
const checkouts = createCheckoutStore(database, { orders })
// A lease that ends at once: its holder is taken for crashed.
const hasty = createCheckoutStore(database, { orders, leaseMs: 1 })
const countOrders = sql(
  'test.count_orders',
  'select count(*) as count from orders where cart_id = $1',
)
const countEvents = sql(
  'test.count_events',
  `select count(*) as count from outbox where message->'data'->>'cartId' = $1`,
)
const countCheckouts = sql(
  'test.count_checkouts',
  `select count(*) as count from checkouts where scope = 'cart:' || $1`,
)
const count = async (statement: typeof countOrders, { cartId }: PlaceOrder) =>
  (await database.one<{ count: number }>(statement, [cartId], () => new Error('no row'))).count

const never = () => new Promise<never>(() => undefined)
const reference = (neighbours: FakeNeighbours) => testDeps({ orders, checkouts }, neighbours)

test('the same key twenty times at once makes one order and one payment', async () => {
  const neighbours = fakeNeighbours()
  const deps = reference(neighbours)
  const command = aCommand()
  const placed = await Promise.all(Array.from({ length: 20 }, () => placeOrder(deps, command)))
  assert.equal(new Set(placed.map(({ id }) => id)).size, 1)
  assert.equal(await count(countOrders, command), 1)
  assert.equal(await count(countEvents, command), 1)
  assert.equal(neighbours.made.size, 1)
  assert.equal(neighbours.reservations.size, 1)
  assert.deepEqual(await orders.find(placed[0]?.id ?? ''), placed[0])
})

test('the same key with another body is refused; with another caller or cart it is another key', async () => {
  const deps = reference(fakeNeighbours())
  const command = aCommand()
  const first = await placeOrder(deps, command)
  const other = { ...command, email: 'grace@example.org' }
  await assert.rejects(placeOrder(deps, other), { code: 'IDEMPOTENCY_KEY_REUSED' })
  const elsewhere = await placeOrder(deps, { ...command, cartId: uuidv7() })
  const signedIn = await placeOrder(deps, { ...command, customerId: uuidv7() })
  assert.equal(new Set([first.id, elsewhere.id, signedIn.id]).size, 3)
})

test('a stale total is refused for its key, frees the stock, and is right with a new key', async () => {
  const neighbours = fakeNeighbours([aLine(gbp(1_300))])
  const deps = reference(neighbours)
  const command = aCommand()
  await assert.rejects(placeOrder(deps, command), { code: 'PRICE_CHANGED' })
  neighbours.quoted.lines = [aLine(gbp(1_250))]
  await assert.rejects(placeOrder(deps, command), (error: AppError) => {
    assert.equal(error.code, 'PRICE_CHANGED')
    assert.deepEqual(error.details.actualTotal, gbp(2_600))
    return true
  })
  assert.equal(neighbours.held(), 0)
  assert.equal(neighbours.made.size, 0)
  const order = await placeOrder(deps, { ...command, idempotencyKey: uuidv7() })
  assert.deepEqual(order.totals.total, gbp(2_500))
})

for (const service of ['carts', 'products', 'payments'] as const) {
  test(`while ${service} is down nothing is placed, and the same key works afterwards`, async () => {
    const neighbours = fakeNeighbours()
    const outage = async () => {
      throw new AppError('unavailable', 'UPSTREAM_UNAVAILABLE', 'Down.')
    }
    const broken = {
      ...neighbours,
      carts: service === 'carts' ? { getLines: outage } : neighbours.carts,
      products:
        service === 'products'
          ? { ...neighbours.products, reserveStock: outage }
          : neighbours.products,
      payments:
        service === 'payments'
          ? { ...neighbours.payments, createPayment: outage }
          : neighbours.payments,
    }
    const command = aCommand()
    await assert.rejects(placeOrder(testDeps({ orders, checkouts }, broken), command), {
      kind: 'unavailable',
      code: 'CHECKOUT_UNAVAILABLE',
      details: { service },
      retryAfterSeconds: 5,
    })
    assert.equal(await count(countOrders, command), 0)
    assert.equal((await placeOrder(reference(neighbours), command)).status, 'pending_payment')
    assert.equal(neighbours.reservations.size, 1)
    assert.equal(neighbours.open(), 1)
  })
}

/** The neighbours and the store, of which the given call has its effect but never answers. */
function crashingAt(step: string, neighbours: FakeNeighbours): Deps {
  const dead = <A extends unknown[]>(name: string, call: (...args: A) => Promise<unknown>) =>
    (name === step
      ? async (...args: A) => {
          await call(...args)
          return never()
        }
      : call) as (...args: A) => Promise<never>
  const { carts, products, payments } = neighbours
  return testDeps(
    { orders, checkouts: { ...hasty, place: dead('place', hasty.place) } },
    {
      carts: { getLines: dead('getLines', carts.getLines) },
      products: { ...products, reserveStock: dead('reserveStock', products.reserveStock) },
      payments: { ...payments, createPayment: dead('createPayment', payments.createPayment) },
    },
  )
}

const steps = ['getLines', 'reserveStock', 'createPayment', 'place'] as const

/** Starts a checkout that dies right after the step, and waits until the step is done. */
async function crash(
  step: (typeof steps)[number],
  neighbours: FakeNeighbours,
  command: PlaceOrder,
) {
  void placeOrder(crashingAt(step, neighbours), command)
  await eventually(async () => {
    if (step === 'reserveStock') return neighbours.reservations.size === 1
    if (step === 'createPayment') return neighbours.made.size === 1
    if (step === 'place') return (await count(countOrders, command)) === 1
    return (await count(countCheckouts, command)) === 1
  })
}

for (const step of steps) {
  test(`a checkout that died after ${step} is finished by the same key`, async () => {
    const neighbours = fakeNeighbours()
    const command = aCommand()
    await crash(step, neighbours, command)
    const order = await placeOrder(reference(neighbours), command)
    assert.equal(await count(countOrders, command), 1)
    assert.equal(await count(countEvents, command), 1)
    assert.deepEqual([...neighbours.made.keys()], [order.id])
    assert.deepEqual([...neighbours.reservations.keys()], [order.id])
  })

  test(`a checkout that died after ${step} and is never asked for again holds nothing`, async () => {
    const neighbours = fakeNeighbours()
    const command = aCommand()
    await crash(step, neighbours, command)
    const deps = reference(neighbours)
    const isPlaced = step === 'place'
    await eventually(async () => {
      await sweepCheckouts(deps, 0)
      return isPlaced || neighbours.made.size === 1
    })
    assert.equal(neighbours.held(), isPlaced ? 1 : 0)
    assert.equal(neighbours.open(), isPlaced ? 1 : 0)
    if (isPlaced) await placeOrder(deps, command)
    else await assert.rejects(placeOrder(deps, command), { code: 'CHECKOUT_ABANDONED' })
  })
}

test('a checkout that wakes up after it was given up neither places an order nor holds anything', async () => {
  const neighbours = fakeNeighbours()
  const { promise: woken, resolve: wake } = Promise.withResolvers<void>()
  let isAsleep = false
  const sleepy = {
    ...neighbours,
    products: {
      ...neighbours.products,
      async reserveStock(request: Parameters<Deps['products']['reserveStock']>[0]) {
        isAsleep = true
        await woken
        return neighbours.products.reserveStock(request)
      },
    },
  }
  const command = aCommand()
  const late = placeOrder(testDeps({ orders, checkouts: hasty }, sleepy), command)
  await eventually(() => isAsleep)
  await eventually(
    async () =>
      (await sweepCheckouts(reference(neighbours), 0)) === 0 && neighbours.made.size === 1,
  )
  wake()
  await assert.rejects(late, { code: 'CHECKOUT_ABANDONED' })
  assert.equal(neighbours.held(), 0)
  assert.equal(neighbours.open(), 0)
  assert.equal(await count(countOrders, command), 0)
})

test('a checkout whose shopper comes back while others are swept is left alone', async () => {
  const neighbours = fakeNeighbours()
  const commands = [aCommand(), aCommand()]
  for (const command of commands) await crash('createPayment', neighbours, command)
  await eventually(() => neighbours.made.size === 2)
  const placed: string[] = []
  const slow = {
    ...neighbours,
    products: {
      ...neighbours.products,
      // While the first is undone, the lease of the other ends and its shopper tries again.
      async releaseStock(orderId: string) {
        if (placed.length === 0) {
          const [first] = [...neighbours.made.keys()]
          const other = commands[orderId === first ? 1 : 0]
          assert.ok(other)
          placed.push('')
          const order = await eventually(() => placeOrder(reference(neighbours), other))
          placed.push(order.id)
        }
        return neighbours.products.releaseStock(orderId)
      },
    },
  }
  await eventually(async () => {
    await sweepCheckouts(testDeps({ orders, checkouts: hasty }, slow), 0)
    return placed.length === 2
  })
  assert.equal(neighbours.reservations.get(placed[1] ?? ''), 'held')
  assert.notEqual(neighbours.made.get(placed[1] ?? '')?.phase, 'ended')
})

test('what a refused checkout could not free is freed by the sweeper', async () => {
  const neighbours = fakeNeighbours([aLine(gbp(1_300))])
  const deaf = {
    ...neighbours,
    products: {
      ...neighbours.products,
      releaseStock: async () => {
        throw new AppError('unavailable', 'UPSTREAM_UNAVAILABLE', 'Down.')
      },
    },
  }
  const deps = testDeps({ orders, checkouts: hasty }, deaf)
  await assert.rejects(placeOrder(deps, aCommand()), { code: 'PRICE_CHANGED' })
  assert.equal(neighbours.held(), 1)
  await eventually(async () => {
    await sweepCheckouts(reference(neighbours), 60_000)
    return neighbours.held() === 0
  })
})

test('news of a payment wait while its order is being placed, and money of a refused one goes back', async () => {
  const neighbours = fakeNeighbours()
  const command = aCommand()
  await crash('createPayment', neighbours, command)
  const [[orderId, payment] = []] = [...neighbours.made]
  assert.ok(orderId && payment)
  const told = { orderId, state: neighbours.money.pay(orderId), actor: provider, cause: null }
  const deps = reference(neighbours)
  await assert.rejects(settlePayment(deps, told), {
    kind: 'unavailable',
    code: 'CHECKOUT_IN_PROGRESS',
  })
  await eventually(async () => {
    await sweepCheckouts(deps, 0)
    return neighbours.money.keptMinor(orderId) === 0
  })
  assert.equal(await settlePayment(deps, told), 'refund-due')
  const returned = { ...told, state: neighbours.money.find(orderId) }
  assert.equal(await settlePayment(deps, returned), 'duplicate')
  const unknown = { ...told, orderId: uuidv7() }
  await assert.rejects(settlePayment(deps, unknown), { code: 'ORDER_NOT_FOUND' })
})

test('a checkout that takes long keeps its lease, and a crashed one gives its key free soon', async () => {
  const short = createCheckoutStore(database, { orders, leaseMs: 400 })
  const neighbours = fakeNeighbours()
  const { promise: woken, resolve: wake } = Promise.withResolvers<void>()
  const slow = {
    ...neighbours,
    carts: {
      async getLines(cartId: string, subjectId: string | null) {
        await woken
        return neighbours.carts.getLines(cartId, subjectId)
      },
    },
  }
  let renewals = 0
  const renewing: Deps = {
    ...testDeps({ orders, checkouts: short }, slow),
    repeat(_everyMs, work) {
      const timer = setInterval(() => {
        renewals += 1
        void work()
      }, 50)
      return () => clearInterval(timer)
    },
  }
  const command = aCommand()
  const late = placeOrder(renewing, command)
  await eventually(() => renewals > 12)
  assert.equal((await sweepCheckouts(reference(neighbours), 0)) > 0, false)
  wake()
  assert.equal((await late).status, 'pending_payment')
  const crashed = aCommand()
  void placeOrder(
    testDeps({ orders, checkouts: short }, { ...slow, carts: { getLines: never } }),
    crashed,
  )
  await eventually(async () => (await count(countCheckouts, crashed)) === 1)
  assert.equal((await placeOrder(reference(neighbours), crashed)).status, 'pending_payment')
})

test('work that stopped half-way is listed and counted, and ended checkouts are forgotten in time', async () => {
  const unfinished = createUnfinishedStore(database)
  const neighbours = fakeNeighbours()
  const command = aCommand()
  await crash('reserveStock', neighbours, command)
  const [orderId] = neighbours.reservations.keys()
  const soon = new Date(Date.now() + 1_000)
  const found = (await unfinished.list(soon, 1_000)).find((work) => work.orderId === orderId)
  assert.equal(found?.kind, 'checkout')
  const counts = await unfinished.count(soon)
  assert.ok(counts.some(({ kind, count: number }) => kind === 'checkout' && number > 0))
  const kept = aCommand()
  const order = await placeOrder(reference(neighbours), kept)
  assert.equal(await checkouts.prune(new Date(Date.now() - 60_000), 100), 0)
  assert.ok((await checkouts.prune(soon, 1_000)) > 0)
  assert.equal(await checkouts.stateOf(orderId ?? ''), 'started')
  assert.equal(await checkouts.stateOf(order.id), undefined)
  assert.equal((await orders.find(order.id))?.id, order.id)
})
