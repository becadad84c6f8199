import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import type { Cart } from '@halles/contracts/gen/http/carts'
import { eventually } from '@halles/kit/testing'
import type { OpenapiDocument, Sample } from '../e2e/bad-requests.ts'
import { card } from '../e2e/hosted-page.ts'
import { createSamples } from '../e2e/samples.ts'
import { createShop, newOrder, type Shop } from '../e2e/shop.ts'
import { publishPoison } from './alerts-poison.ts'
import { type Receiver, startReceiver } from './receiver.ts'
import { allowed } from './secrets-allowed.ts'
import {
  createMarks,
  type Kind,
  markBody,
  markedAddress,
  secretKinds,
  strayFields,
  strayQuery,
} from './secrets-marks.ts'
import { type Find, findInDatabases, findInTexts, readLogs, readMetrics } from './secrets-search.ts'

const document = JSON.parse(
  readFileSync(new URL('../../contracts/gen/openapi.json', import.meta.url), 'utf8'),
) as OpenapiDocument
// What ends the session of the walk, or takes away what it walks on, comes last.
const lastOnes = ['removeProduct', 'endSession', 'signOut', 'signOutEverywhere']
const operations = Object.entries(document.paths)
  .flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  )
  .filter(({ operation }) => operation.operationId !== undefined)
  .sort((a, b) => lastOnes.indexOf(idOf(a)) - lastOnes.indexOf(idOf(b)))

type Route = { path: string; method: string; operation: { operationId: string } }
function idOf({ operation }: Route): string {
  return operation.operationId
}

const marks = createMarks()
const isSecret = (kind: Kind) => (secretKinds as readonly Kind[]).includes(kind)
// Batches of spans leave each second, messages at once.
const arrival = { limitMs: 30_000, intervalMs: 250 }

describe('What people tell the shop', () => {
  let shop: Shop
  let receiver: Receiver
  before(async () => {
    receiver = await startReceiver()
    shop = createShop({
      HALLES_GATEWAY_RATE_LIMIT_FACTOR: '0',
      LOG_LEVEL: 'debug',
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
    })
    await shop.stack.start()
    addSecretsOf(shop)
  })
  after(async () => {
    await shop.stack.stop()
    await receiver.stop()
  })

  test('is taken by each route, marked, without an error of ours', async () => {
    const sampleOf = await createSamples(shop)
    const complaints: string[] = []
    for (const route of operations) {
      for (const request of requestsOf(route, sampleOf(idOf(route)))) {
        const status = await send(shop, request)
        // The bank transfer's routes answer 501 in this shop.
        if (status >= 500) complaints.push(`${idOf(route)}: ${status}`)
      }
    }
    assert.deepEqual(complaints, [])
  })

  test('is what a customer buys with, who changes her password and asks for her money back', () =>
    buyMarked(shop))

  test('is what the pages take as forms and addresses', async () => {
    const password = marks.of('password')
    const forms: Record<string, Record<string, string>> = {
      '/sign-in': { email: marks.email(), password },
      '/sign-up': { email: marks.email(), password, name: marks.of('name') },
    }
    for (const [path, fields] of Object.entries(forms)) {
      const { status } = await fetch(`${shop.stack.url}${path}?${strayQuery(marks)}`, {
        method: 'POST',
        headers: { 'sec-fetch-site': 'same-origin' },
        body: new URLSearchParams(fields),
        redirect: 'manual',
        signal: AbortSignal.timeout(30_000),
      })
      assert.ok(status >= 200 && status < 500, `${path} answered ${status}.`)
    }
    const search = await shop.api.raw({ method: 'GET', target: `/search?${strayQuery(marks)}` })
    assert.equal(search.status, 200)
  })

  test('is in a message that becomes a dead letter with its data, and in no list of them', async () => {
    const token = await shop.admin()
    const id = await publishPoison(shop.stack, { price: marks.of('note') })
    const letters = await eventually(async () => {
      const query = { limit: 100 }
      const { items } = await shop.api.ask('listDeadLetters', { token, query })
      const own = items.filter(({ subject }) => subject === id)
      assert.ok(own.length > 0, 'No dead letter yet.')
      return own
    }, arrival)
    assert.deepEqual(findInTexts(marks, 'list of dead letters', [JSON.stringify(letters)]), [])
  })

  test('is found wherever it is, in letters and in hexadecimal digits', () => {
    const value = marks.of('password')
    const texts = [`"x":"${value}"`, value.toUpperCase(), Buffer.from(value).toString('hex')]
    const kinds = texts.map((text) => findInTexts(marks, 'here', [text]).map(({ kind }) => kind))
    assert.deepEqual(kinds, [['password'], ['password'], ['password']])
    assert.deepEqual(findInTexts(marks, 'here', [`card ${marks.cardNumber()}`])[0]?.kind, 'card')
  })

  test('is in no span', async () => {
    const services = await eventually(() => {
      const found = new Set(receiver.spans.map(({ resource }) => resource['service.name']))
      for (const each of ['gateway', 'customers', 'auth', 'orders', 'payments']) {
        assert.ok(found.has(each), `No span of ${each} yet.`)
      }
      return found
    }, arrival)
    assert.ok(services.size >= 9, [...services].join())
    assert.deepEqual(findInTexts(marks, 'spans', receiver.texts), [])
  })

  test('is in no measurement', async () => {
    const finds = [...(await readMetrics(shop.stack))].flatMap(([instance, text]) => {
      return findInTexts(marks, instance, text.split('\n'))
    })
    assert.deepEqual(finds, [])
  })

  test('is in no log', () => {
    const logs = readLogs(shop.stack)
    assert.ok(logs.has('gateway-1.log') || logs.has('gateway.log'), [...logs.keys()].join())
    const finds = [...logs].flatMap(([name, lines]) => findInTexts(marks, name, lines))
    assert.deepEqual(finds, [])
  })

  test('is in the tables that need it, and secrets are in none', async () => {
    const finds = await findInDatabases(marks, shop.stack)
    const byPlace = Map.groupBy(finds, ({ where }) => where)
    const isAllowed = ({ where, kind }: Find) => allowed[where]?.kinds.includes(kind) === true
    assert.deepEqual(
      finds.filter((find) => isSecret(find.kind) || !isAllowed(find)),
      [],
    )
    const unused = Object.keys(allowed).filter((where) => !byPlace.has(where))
    assert.deepEqual(unused, [], 'Allowed, and nothing was found there: take them off the list.')
  })

  test('leaves logs of one JSON line per entry, which name the trace of the request', async () => {
    const answer = await shop.api.send('reconcilePayments', {
      token: await shop.admin(),
      body: { from: new Date(Date.now() - 60_000).toISOString() },
    })
    assert.equal(answer.status, 200)
    const traceId = answer.headers.get('x-request-id')
    assert.match(String(traceId), /^[0-9a-f]{32}$/)
    const entries = [...readLogs(shop.stack)]
      .filter(([name]) => !name.startsWith('postgres'))
      .flatMap(([name, lines]) => lines.map((line) => toEntry(name, line)))
    for (const { time, level, service, instance, message } of entries) {
      for (const each of [time, level, service, instance, message]) {
        assert.equal(typeof each, 'string')
      }
    }
    const own = entries.filter((entry) => entry.traceId === traceId)
    assert.ok(
      own.some(({ service }) => service === 'payments'),
      'No entry names the trace.',
    )
  })
})

/** What the stack made up for itself is as secret as what people type in. */
function addSecretsOf({ stack }: Shop): void {
  const { credentialsKeys, admin, databases, ...others } = stack.readJson('secrets.json') as {
    credentialsKeys: { d: string }[]
    admin: { password: string }
    databases: Record<string, string>
  } & Record<string, string>
  const own = [...Object.values(others), ...Object.values(databases), admin.password]
  for (const value of [...own, ...credentialsKeys.map(({ d }) => d)]) marks.add('key', value)
}

type Request = { method: string; target: string; headers: Record<string, string>; body?: string }

/** Good as the contract knows it; with fields that it does not know; with credentials of strangers. */
function requestsOf(route: Route, { params, query, body, headers }: Sample): Request[] {
  const path = route.path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => params[name] ?? '')
  const method = route.method.toUpperCase()
  const withBody = (value: unknown) =>
    value === undefined ? {} : { body: JSON.stringify(markBody(marks, value)) }
  const type: Record<string, string> =
    body === undefined ? {} : { 'content-type': 'application/json' }
  const asked = (more: string) => [query, more].filter((part) => part !== '').join('&')
  const strange = {
    authorization: `Bearer ${marks.of('token')}`,
    cookie: `session=${marks.of('cookie')}`,
    'stripe-signature': `t=1,v1=${marks.of('signature')}`,
    'idempotency-key': marks.of('key'),
    referer: `http://localhost/search?q=${marks.of('query')}`,
    'user-agent': marks.of('name'),
  }
  const stray = { ...(body as object | undefined), ...strayFields(marks) }
  return [
    { method, target: `${path}?${asked('')}`, headers: { ...type, ...headers }, ...withBody(body) },
    {
      ...{ method, target: `${path}?${asked(strayQuery(marks))}` },
      headers: { ...type, ...headers },
      ...(body === undefined ? {} : withBody(stray)),
    },
    { method, target: `${path}?${asked('')}`, headers: { ...type, ...strange }, ...withBody(body) },
  ]
}

async function send({ stack }: Shop, { method, target, headers, body }: Request): Promise<number> {
  const answer = await fetch(`${stack.url}${target}`, {
    ...{ method, headers, redirect: 'manual', signal: AbortSignal.timeout(30_000) },
    ...(body === undefined ? {} : { body }),
  })
  // A stream of events has no end.
  if (answer.headers.get('content-type')?.startsWith('text/event-stream'))
    await answer.body?.cancel()
  else await answer.arrayBuffer()
  return answer.status
}

async function buyMarked(shop: Shop): Promise<void> {
  const { api } = shop
  const [email, password] = [marks.email(), marks.of('password')]
  await api.ask('signUp', { body: { email, password, name: marks.of('name') } })
  const { token, refreshToken } = await shop.signIn(email, password)
  for (const each of [token, refreshToken]) marks.add('token', each)
  await api.ask('addAddress', { token, body: markedAddress(marks) })
  await api.ask('updateMe', { token, body: { name: marks.of('name') } })
  const newPassword = marks.of('password')
  await api.ask('changePassword', { token, body: { currentPassword: password, newPassword } })
  const again = await shop.signIn(email, newPassword)
  for (const each of Object.values(again)) marks.add('token', each)

  const { variantId } = await shop.sell()
  const buy = async (cart: Cart, by?: string) => {
    const body = newOrder(cart, { email: marks.email(), shippingAddress: markedAddress(marks) })
    const headers = { 'idempotency-key': randomUUID() }
    const order = await api.ask('placeOrder', { token: by, headers, body })
    if (order.accessToken) marks.add('token', order.accessToken)
    return order
  }
  const guests = await buy(await shop.cartWith({ [variantId]: 1 }))
  marks.add('card', card.good)
  await shop.pay(guests)
  await shop.orderBecomes(guests, 'paid', guests.accessToken)
  const staff = await shop.admin()
  marks.add('token', staff)
  const money = { amount: { amountMinor: 100, currency: 'EUR' }, isReturned: false }
  const headers = { 'idempotency-key': randomUUID() }
  const params = { orderId: guests.id }
  await api.ask('refundOrder', { token: staff, params, headers, body: money })

  const own = await buy(await shop.cartWith({ [variantId]: 1 }, again.token), again.token)
  const reason = marks.of('note')
  const cancel = { token: again.token, params: { orderId: own.id }, body: { reason } }
  await api.ask('cancelOrder', cancel)
}

function toEntry(name: string, line: string): Record<string, unknown> {
  try {
    return JSON.parse(line) as Record<string, unknown>
  } catch (error) {
    throw new Error(`${name} has a line that is no JSON: ${line}`, { cause: error })
  }
}
