import { execFileSync } from 'node:child_process'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, resolve } from 'node:path'
import { createTestDatabase, type TestDatabase } from '@halles/kit/testing'
import { createApp } from '../src/app.ts'
import { readConfig } from '../src/config.ts'

const root = resolve(import.meta.dirname, '../../..')
export const migrations = join(import.meta.dirname, '../migrations')
export const secret = 'a-secret-of-at-least-32-characters'

/** Builds the pages when they are not, so that a test sees what people see. */
export function buildPages(): string {
  execFileSync(process.execPath, [join(root, 'apps/web/scripts/build.ts')], { stdio: 'inherit' })
  return join(root, 'dist/apps/web/build')
}

export type Call = {
  method: string
  path: string
  headers: IncomingMessage['headers']
  body: unknown
}
export type Answer = { status?: number; body?: unknown; headers?: Record<string, string> }
export type FakeApi = { url: string; calls: Call[]; close(): Promise<void> }

/** Stands for the gateways: answers as the test says and remembers what it was asked. */
export async function startApi(answer: (call: Call) => Answer | undefined): Promise<FakeApi> {
  const calls: Call[] = []
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = []
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
    const text = Buffer.concat(chunks).toString('utf8')
    const { method = '', url: path = '', headers } = request
    const call = { method, path, headers, body: text === '' ? undefined : JSON.parse(text) }
    calls.push(call)
    const found = answer(call) ?? { status: 404, body: problem(404, 'ROUTE_NOT_FOUND') }
    response.writeHead(found.status ?? 200, {
      'content-type': 'application/json',
      ...found.headers,
    })
    response.end(found.body === undefined ? '' : JSON.stringify(found.body))
  }
  const server = createServer((request, response) => void serve(request, response))
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    close: () =>
      new Promise((done) => {
        server.close(() => done())
        server.closeAllConnections()
      }),
  }
}

export function problem(status: number, code: string) {
  return { type: 'about:blank', title: code, status, code, detail: code }
}

export type Web = {
  url: string
  database: TestDatabase
  get(path: string, headers?: Record<string, string>): Promise<Response>
  /** A form as the browser of a page of ours sends it. */
  post(
    path: string,
    form: Record<string, string>,
    headers?: Record<string, string>,
  ): Promise<Response>
  stop(): Promise<void>
}

/** The web server as it runs, before the API given. */
export async function startWeb(
  api: Pick<FakeApi, 'url'>,
  env: Record<string, string> = {},
): Promise<Web> {
  const database = await createTestDatabase()
  const app = createApp(
    readConfig({
      DATABASE_URL: database.url,
      API_URLS: api.url,
      SESSION_SECRET: secret,
      BUILD_FOLDER: buildPages(),
      LOG_LEVEL: 'silent',
      ...env,
    }),
  )
  await app.start()
  const url = `http://127.0.0.1:${app.port()}`
  const ask = (path: string, init: RequestInit) =>
    fetch(url + path, { redirect: 'manual', ...init })
  return {
    url,
    database,
    get: (path, headers = {}) => ask(path, { headers }),
    post: (path, form, headers = {}) =>
      ask(path, {
        method: 'POST',
        headers: { 'sec-fetch-site': 'same-origin', origin: url, ...headers },
        body: new URLSearchParams(form),
      }),
    async stop() {
      await app.stop()
      await database.drop()
    },
  }
}

/** The cookie that an answer sets, as a browser sends it back. */
export function cookieOf(answer: Response): string {
  return answer.headers
    .getSetCookie()
    .map((each) => each.split(';')[0])
    .join('; ')
}

/** An access token with a subject; nobody here verifies it. */
export function tokenOf(subject: string): string {
  const payload = Buffer.from(JSON.stringify({ sub: subject })).toString('base64url')
  return `e30.${payload}.signature`
}

export const productId = '01890a5d-ac96-774b-bcce-b302099a8057'
export const variantId = '01890a5d-ac96-774b-bcce-b302099a8058'
export const cartId = '01890a5d-ac96-774b-bcce-b302099a8059'

const price = { amountMinor: 290, currency: 'EUR' }
const variant = {
  id: variantId,
  sku: 'BRIE',
  title: 'Ripe',
  optionValues: ['Ripe'],
  price,
  compareAtPrice: null,
  availability: 'in_stock',
}

export const summary = {
  id: productId,
  slug: 'brie',
  title: 'Brie <b>de ferme</b>',
  category: 'Cheese',
  image: null,
  priceFrom: price,
  availability: 'in_stock',
  variants: [variant],
  version: 1,
}

export const product = {
  ...summary,
  descriptionHtml: '<p>Ripe.</p>',
  vendor: null,
  tags: [],
  status: 'active',
  options: ['Ripeness'],
  images: [],
  createdAt: '2026-01-01T00:00:00Z',
  updatedAt: '2026-01-01T00:00:00Z',
}

export function cartWith(quantity: number) {
  const total = { amountMinor: 290 * quantity, currency: 'EUR' }
  const line = {
    variantId,
    productId,
    title: 'Brie',
    variantTitle: 'Ripe',
    quantity,
    unitPrice: price,
    unitPriceWhenAdded: { amountMinor: 250, currency: 'EUR' },
    availability: 'in_stock',
    total,
  }
  return {
    id: cartId,
    customerId: null,
    lines: quantity === 0 ? [] : [line],
    total: quantity === 0 ? null : total,
    version: quantity + 1,
  }
}
