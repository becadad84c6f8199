import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, type TestContext, test } from 'node:test'
import type { Order } from '@halles/contracts/gen/http/orders'
import { address as commands } from '@halles/contracts/gen/messages/customers'
import { address as events } from '@halles/contracts/gen/messages/orders'
import { eventually } from '@halles/kit/testing'
import { createShop, newEmail, newOrder, type Shop, shippingAddress, unique } from '../e2e/shop.ts'
import { type ReceivedSpan, type Receiver, startReceiver } from './receiver.ts'
import { drawTree, type Tree, toTree } from './tree.ts'

/** Which brokers carry the messages, by OpenTelemetry's names. */
export type Carriers = {
  topics: 'kafka' | 'postgresql'
  queues: 'rabbitmq' | 'postgresql'
}

const [server, client, producer, consumer] = [2, 3, 4, 5]
// A batch leaves every second, after the consumers have done their part.
const arrival = { limitMs: 30_000, intervalMs: 200 }

/** Somebody buys something, and a collector gets what happened as trees. */
export function purchaseAsTrees(env: Record<string, string>, { topics, queues }: Carriers): void {
  describe(`A purchase, with events on ${topics} and commands on ${queues},`, () => {
    const email = newEmail()
    const password = `market-${unique()}`
    let receiver: Receiver
    let shop: Shop
    let order: Order
    let checkoutId = ''
    before(async () => {
      receiver = await startReceiver()
      const telemetry = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url }
      shop = createShop({ HALLES_GATEWAY_RATE_LIMIT_FACTOR: '0', ...telemetry, ...env })
      await shop.stack.start()
    })
    after(async () => {
      await shop.stack.stop()
      await receiver.stop()
    })

    test('begins with a sign-up that is one tree, through the queue to auth', async (t) => {
      const body = { email, password, name: shippingAddress.name }
      const answer = await shop.api.send('signUp', { body })
      assert.equal(answer.status, 201)
      const traceId = answer.headers.get('x-request-id') ?? ''
      const tree = await eventually(() => {
        const found = wholeTree(receiver, traceId)
        assertServices(found, ['gateway', 'customers', 'auth'])
        return found
      }, arrival)
      show(t, 'sign-up', tree)
      assertSent(tree, { from: 'customers', name: commands.name, system: queues })
    })

    test('is one tree from the gateway to the services that hear of the order', async (t) => {
      const { variantId } = await shop.sell()
      const cart = await shop.cartWith({ [variantId]: 2 })
      const answer = await shop.api.send('placeOrder', {
        headers: { 'idempotency-key': randomUUID() },
        body: newOrder(cart, { email }),
      })
      assert.equal(answer.status, 201)
      order = answer.body as Order
      checkoutId = answer.headers.get('x-request-id') ?? ''
      const tree = await eventually(() => {
        const found = wholeTree(receiver, checkoutId)
        assertServices(found, ['gateway', 'orders', 'carts', 'products', 'payments'])
        assertHeard(found, ['carts', 'products'])
        return found
      }, arrival)
      show(t, 'checkout', tree)
      const [root] = tree.roots
      assert.equal(root?.name, 'POST /api/v1/orders')
      assert.equal(root?.attributes['http.response.status_code'], '201')
      const stripe = tree.spans.filter(({ attributes: a }) => a['service.peer.name'] === 'stripe')
      assert.deepEqual(
        stripe.map(({ kind, name }) => [kind, name]),
        [[client, 'POST /v1/checkout/sessions']],
      )
      assertCallsMeet(tree)
      assertSent(tree, { from: 'orders', name: events.name, system: topics })
    })

    test('is paid in a tree of its own, which names the same payment', async (t) => {
      await shop.pay(order)
      await shop.orderBecomes(order, 'paid', order.accessToken)
      const paymentId = paymentOf(toTree(receiver.spans, checkoutId))
      const tree = await eventually(() => {
        const found = webhooksOf(receiver)
          .map((traceId) => wholeTree(receiver, traceId))
          .find((each) => paymentOf(each) === paymentId)
        assert.ok(found, 'No webhook of that payment has arrived.')
        assertServices(found, ['gateway', 'payments', 'orders'])
        assertHeard(found, ['carts', 'products'])
        return found
      }, arrival)
      show(t, 'payment', tree)
      assert.notEqual(tree.roots[0]?.traceId, checkoutId)
      assertCallsMeet(tree)
      assertSent(tree, { from: 'orders', name: events.name, system: topics })
    })

    test('was found in a catalogue whose pages tell how the cache found them', async () => {
      const ask = () => shop.api.send('listProducts', { query: { limit: 3 } })
      const answers = [await ask(), await ask(), await ask(), await ask(), await ask()]
      for (const { headers } of answers) {
        const id = headers.get('x-request-id') ?? ''
        const tree = await eventually(() => wholeTree(receiver, id), arrival)
        const found = tree.roots[0]?.attributes['halles.cache'] ?? ''
        // Each gateway keeps its own, and what was bought meanwhile changes the page.
        assert.match(found, /^(hit|stored|stale|renewed|revalidated)$/)
        if (found === 'hit') assert.equal(tree.spans.length, 1, drawTree(tree).join('\n'))
        if (found === 'stored') assert.ok(tree.spans.length > 1, drawTree(tree).join('\n'))
      }
    })

    test('has told who did it and in which version, and nothing of the shopper', () => {
      assert.ok(order.accessToken)
      for (const { resource } of receiver.spans) {
        assert.match(resource['service.instance.id'] ?? '', /^[a-z]+-\d+$/)
        assert.ok(resource['service.version'])
      }
      const { name, line1 } = shippingAddress
      const secrets = [email, password, name, line1, order.accessToken]
      const texts = receiver.texts.join('\n')
      for (const secret of secrets) assert.ok(!texts.includes(secret), `A span holds ${secret}.`)
      const words = receiver.spans.flatMap(({ attributes }) => Object.values(attributes))
      assert.deepEqual(
        words.filter((word) => /[?@]|Bearer|\/[0-9a-f-]{36}/.test(word)),
        [],
      )
    })

    test('leaves no span without its parent, whatever else the shop did', async (t) => {
      const ids = new Set(receiver.spans.map(({ traceId }) => traceId))
      await eventually(() => {
        const orphans = [...ids].flatMap((id) => toTree(receiver.spans, id).orphans)
        assert.deepEqual(orphans.map(describeSpan), [])
      }, arrival)
      const roots = [...ids].flatMap((id) =>
        toTree(receiver.spans, id).roots.map(({ name }) => name),
      )
      t.diagnostic(`${receiver.spans.length} spans in ${ids.size} traces`)
      t.diagnostic(`roots: ${[...new Set(roots)].sort().join(', ')}`)
    })
  })
}

/** Throws until the trace has one root and every parent. */
function wholeTree({ spans }: Receiver, traceId: string): Tree {
  const tree = toTree(spans, traceId)
  assert.deepEqual(tree.orphans.map(describeSpan), [])
  assert.equal(tree.roots.length, 1)
  return tree
}

function webhooksOf({ spans }: Receiver): string[] {
  return spans
    .filter(({ kind, name, parentSpanId }) => kind === server && !parentSpanId && isWebhook(name))
    .map(({ traceId }) => traceId)
}

const isWebhook = (name: string) => name === 'POST /api/v1/webhooks/stripe'

function paymentOf(tree: Tree): string | undefined {
  return tree.spans.map(({ attributes }) => attributes['halles.payment.id']).find(Boolean)
}

function assertServices({ spans }: Tree, expected: readonly string[]): void {
  const seen = new Set(spans.map(serviceOf))
  for (const service of expected) assert.ok(seen.has(service), `${service} is not in the tree.`)
}

function assertHeard({ spans }: Tree, expected: readonly string[]): void {
  const heard = spans.filter(
    ({ kind, name }) => kind === consumer && name === `process ${events.name}`,
  )
  for (const service of expected) {
    assert.ok(
      heard.some((span) => serviceOf(span) === service),
      `${service} has not heard of it.`,
    )
  }
}

/** Every call has its two sides: the server's span is right below the client's, in another process. */
function assertCallsMeet(tree: Tree): void {
  const calls = tree.spans.filter(({ kind, attributes }) => {
    return kind === client && attributes['service.peer.name'] !== 'stripe'
  })
  assert.ok(calls.some(({ attributes }) => attributes['rpc.system.name'] === 'grpc'))
  assert.ok(calls.some(({ attributes }) => 'http.request.method' in attributes))
  for (const call of calls) {
    const answered = tree.childrenOf(call)
    assert.deepEqual(
      answered.map((span) => [span.kind, serviceOf(span)]),
      [[server, call.attributes['service.peer.name']]],
      describeSpan(call),
    )
  }
}

/** Who handles an event is below its sending, which is below the work that it tells of. */
function assertSent(tree: Tree, way: { from: string; name: string; system: string }): void {
  const { from, name, system } = way
  const sent = tree.spans.filter(({ kind }) => kind === producer)
  assert.ok(sent.length > 0)
  for (const span of sent) {
    assert.equal(serviceOf(span), from)
    assert.equal(span.name, `send ${name}`)
    const handled = tree.childrenOf(span)
    assert.ok(handled.length > 0)
    for (const { kind, attributes, startNanos } of handled) {
      assert.equal(kind, consumer)
      assert.equal(attributes['messaging.system'], system)
      assert.equal(attributes['messaging.message.id'], span.attributes['messaging.message.id'])
      assert.ok(startNanos > span.startNanos)
    }
  }
}

function serviceOf({ resource }: ReceivedSpan): string | undefined {
  return resource['service.name']
}

function describeSpan(span: ReceivedSpan): string {
  return `${serviceOf(span)} ${span.name} ${JSON.stringify(span.attributes)}`
}

function show(t: TestContext, what: string, tree: Tree): void {
  t.diagnostic(`${what}: ${tree.spans.length} spans`)
  for (const line of drawTree(tree)) t.diagnostic(line)
}
