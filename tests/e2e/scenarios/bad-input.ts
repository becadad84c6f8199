import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import type { NewOrder } from '@halles/contracts/gen/http/orders'
import type { Money } from '@halles/contracts/gen/http/products'
import fc from 'fast-check'
import { type Operation, toProblem } from '../api.ts'
import {
  type BadRequest,
  badRequestsOf,
  type OpenapiDocument,
  type Sample,
} from '../bad-requests.ts'
import { createSamples, operationsWithBody } from '../samples.ts'
import { newOrder, type Shop } from '../shop.ts'

const openapi = join(import.meta.dirname, '../../../contracts/gen/openapi.json')
const document = JSON.parse(readFileSync(openapi, 'utf8')) as OpenapiDocument
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, { operationId }]) => ({ path, method, operationId })),
)

/** Whatever is sent: a problem that names the field, and never an error of ours. */
export function badInput(shop: Shop): void {
  const { api, sell, cartWith, admin } = shop
  let sampleOf: (operation: string) => Sample

  /** What is wrong with the answer; undefined when it is as it should be. */
  async function complaintOf({ what, request, pointer, status }: BadRequest) {
    const answer = await api.raw(request)
    const said = `${what} → ${answer.status} ${JSON.stringify(answer.body).slice(0, 300)}`
    if (answer.status < 400 || answer.status >= 500) return said
    if (status !== undefined && answer.status !== status) return `${said}, expected ${status}`
    const { errors = [] } = toProblem(answer)
    if (pointer === undefined) return undefined
    // A field that holds others may be named by one of them.
    const isNamed = errors.some((each) => `${each.pointer}/`.startsWith(`${pointer}/`))
    return isNamed ? undefined : `${said}, expected ${pointer} to be named`
  }

  describe('Bad input', () => {
    before(async () => {
      sampleOf = await createSamples(shop)
    })

    test('is made from the document that the gateway publishes, for every operation', async () => {
      const published = await api.raw({ method: 'GET', target: '/openapi.json' })
      assert.deepEqual(published.body, document)
      const withBody = operations.filter(({ path, method, operationId }) => {
        const types = Object.keys(document.paths[path]?.[method]?.requestBody?.content ?? {})
        return types.includes('application/json') && operationId !== 'receiveStripeWebhook'
      })
      const ids = withBody.map(({ operationId }) => operationId).sort()
      assert.deepEqual(ids, [...operationsWithBody].sort())
    })

    for (const { path, method, operationId } of operations) {
      test(`of ${method.toUpperCase()} ${path} is refused by name`, async () => {
        const bad = badRequestsOf(document, { path, method }, sampleOf(operationId))
        assert.ok(bad.length > 0)
        const complaints: string[] = []
        for (const each of bad) {
          const complaint = await complaintOf(each)
          if (complaint !== undefined) complaints.push(complaint)
        }
        assert.deepEqual(complaints, [])
      })
    }

    test('of any shape makes no error of ours', async () => {
      const targets = operations.filter(({ operationId }) =>
        operationsWithBody.includes(operationId),
      )
      const property = fc.asyncProperty(
        fc.constantFrom(...targets),
        fc.jsonValue({ maxDepth: 3 }),
        fc.nat(),
        async ({ path, method, operationId }, value, choice) => {
          const { params, headers, body } = sampleOf(operationId)
          const names = Object.keys(body as object)
          const name = names[choice % (names.length + 1)]
          const sent = name === undefined ? value : { ...(body as object), [name]: value }
          const answer = await api.raw({
            method: method.toUpperCase(),
            target: path.replaceAll(/\{(\w+)\}/g, (_all, each: string) => params[each] ?? ''),
            headers: { ...headers, 'content-type': 'application/json' },
            body: JSON.stringify(sent),
          })
          assert.ok(answer.status < 500, JSON.stringify(answer.body))
          if (answer.status >= 400) toProblem(answer)
        },
      )
      await fc.assert(property, { numRuns: 300 })
    })

    test('of another currency is told at the field', async () => {
      const { variantId } = await sell()
      const dollars: Money = { amountMinor: 1_250, currency: 'USD' }
      const token = await admin()
      const price = { token, params: { variantId }, body: dollars }
      const refused = await api.refused(
        'setPrice',
        { status: 422, code: 'CURRENCY_MISMATCH' },
        price,
      )
      assert.deepEqual(
        refused.errors?.map(({ pointer }) => pointer),
        ['/body/currency'],
      )
      const body: NewOrder = newOrder(await cartWith({ [variantId]: 1 }), {
        expectedTotal: dollars,
      })
      const headers = { 'idempotency-key': randomUUID() }
      const order = await api.refused('placeOrder', { status: 422 }, { headers, body })
      assert.deepEqual(
        order.errors?.map(({ pointer }) => pointer),
        ['/body/expectedTotal/currency'],
      )
    })

    test('about things that do not exist is a clear 404', async () => {
      const token = await admin()
      const id = randomUUID()
      const unknown: [Operation, Record<string, string>][] = [
        ['getCart', { cartId: id }],
        ['getProduct', { idOrSlug: 'no-such-product' }],
        ['getOrder', { orderId: id }],
        ['getStock', { variantId: id }],
        ['getImport', { importId: id }],
        ['getRole', { role: 'no-such-role' }],
        ['removeAddress', { addressId: id }],
        ['replayDeadLetter', { deadLetterId: 'none' }],
      ]
      for (const [operation, params] of unknown) {
        await api.refused(operation, { status: 404 }, { token, params: params as never })
      }
      const nowhere = await api.raw({ method: 'GET', target: '/api/v1/nowhere' })
      assert.equal(toProblem(nowhere).status, 404)
      const wrongMethod = await api.raw({ method: 'PUT', target: '/api/v1/products' })
      assert.equal(toProblem(wrongMethod).status, 405)
      assert.match(wrongMethod.headers.get('allow') ?? '', /GET/)
    })

    test('that is hardly HTTP is answered and cut off', async () => {
      const { hostname, port } = new URL(shop.stack.url)
      const heads = [
        'HELLO\r\n\r\n',
        'GET / HTTP/1.1\r\nHost: a\r\nX-Nul: a\0b\r\n\r\n',
        `GET / HTTP/1.1\r\nHost: a\r\nX-Long: ${'x'.repeat(100_000)}\r\n\r\n`,
        'POST /api/v1/sessions HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n',
        'GET /api/v1/products/%2e%2e/%2e%2e/internal/v1/policy HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
      ]
      for (const head of heads) {
        const text = await exchange({ host: hostname, port: Number(port) }, head)
        assert.match(text, /^HTTP\/1\.1 4\d\d /, JSON.stringify(head.slice(0, 40)))
        assert.match(text, /application\/problem\+json/)
      }
    })
  })
}

/** Sends bytes and returns everything that comes back until the connection closes. */
function exchange(address: { host: string; port: number }, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(address, () => socket.write(bytes))
    let text = ''
    socket.setTimeout(10_000, () => socket.destroy(new Error('No answer came.')))
    socket.on('data', (chunk) => {
      text += chunk.toString()
    })
    // A server that closes on us while we still write is one way to cut off.
    socket.on('error', (error) => (text === '' ? reject(error) : resolve(text)))
    socket.on('close', () => resolve(text))
  })
}
