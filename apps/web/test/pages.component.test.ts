import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  type Answer,
  type Call,
  cartId,
  cartWith,
  cookieOf,
  type FakeApi,
  problem,
  product,
  startApi,
  startWeb,
  summary,
  tokenOf,
  variantId,
  type Web,
} from './support.ts'

let api: FakeApi
let web: Web
let inCart = 0
const away = new Set<string>()
let isStale = false

function answer({ method, path, body }: Call): Answer | undefined {
  const part = /^\/api\/v1\/(\w+)/.exec(path)?.[1] ?? ''
  if (away.has(part)) return { status: 503, body: problem(503, 'UPSTREAM_UNAVAILABLE') }
  const headers: Record<string, string> = isStale
    ? { 'cache-status': 'halles; fwd=stale; ttl=-60; detail=stale-if-error' }
    : {}
  if (path.startsWith('/api/v1/products?')) {
    return { body: { items: [summary], nextCursor: null }, headers }
  }
  if (path === '/api/v1/products/brie') return { body: product, headers }
  if (path.startsWith('/api/v1/products/')) {
    return { status: 404, body: problem(404, 'PRODUCT_NOT_FOUND') }
  }
  if (path === '/api/v1/carts' && method === 'POST') return { status: 201, body: cartWith(0) }
  if (path === `/api/v1/carts/${cartId}/lines/${variantId}` && method === 'PUT') {
    inCart = (body as { quantity: number }).quantity
    return { body: cartWith(inCart) }
  }
  if (path.startsWith(`/api/v1/carts/${cartId}`)) return { body: cartWith(inCart) }
  if (path === '/api/v1/sessions' && method === 'POST') {
    const { password } = body as { password: string }
    if (password !== 'right') return { status: 401, body: problem(401, 'INVALID_CREDENTIALS') }
    const accessToken = tokenOf('01890a5d-ac96-774b-bcce-b302099a8060')
    return { status: 201, body: { accessToken, refreshToken: 'refresh', expiresInSeconds: 600 } }
  }
  if (path === '/api/v1/customers/me') return { body: { name: 'Ada' } }
  if (path === '/api/v1/permissions/mine') return { body: { roles: [], permissions: [] } }
  return undefined
}

before(async () => {
  api = await startApi(answer)
  web = await startWeb(api, { PAYMENT_ORIGINS: 'https://pay.example' })
})
after(async () => {
  await web.stop()
  await api.close()
})

test('a page is whole without scripts, and what comes from the catalogue is escaped', async () => {
  const page = await web.get('/')
  const html = await page.text()
  assert.equal(page.status, 200)
  assert.match(html, /Brie &lt;b&gt;de ferme&lt;\/b&gt;/)
  assert.match(html, /€2\.90/)
  assert.match(html, /<a[^>]*href="\/products\/brie"/)
  assert.match(html, /<form[^>]*action="\/search"/)
})

test('the same page is there in French below /fr', async () => {
  const html = await (await web.get('/fr/products/brie')).text()
  assert.match(html, /<html lang="fr"/)
  assert.match(html, /Mettre dans le panier/)
  assert.match(html, /2,90\s€/)
  assert.equal((await web.get('/xx/products/brie')).status, 404)
})

test('a page of the shop loads no script by itself, and no script runs without the nonce', async () => {
  const page = await web.get('/products/brie')
  const policy = page.headers.get('content-security-policy') ?? ''
  const nonce = /'nonce-([^']+)'/.exec(policy)?.[1] ?? ''
  const html = await page.text()
  const scripts = [...html.matchAll(/<script([^>]*)>/g)].map(([, attributes]) => attributes ?? '')
  assert.ok(scripts.length > 0)
  for (const attributes of scripts) {
    // Data for search engines; browsers do not run it.
    if (attributes.includes('application/ld+json')) continue
    assert.ok(attributes.includes(`nonce="${nonce}"`), attributes)
    assert.doesNotMatch(attributes, /src=|type="module"/)
  }
  assert.doesNotMatch(html, /modulepreload/)
  assert.match(policy, /default-src 'none'/)
  assert.match(policy, /form-action 'self' https:\/\/pay\.example/)
  assert.match(policy, /frame-ancestors 'none'/)
  const other = (await web.get('/products/brie')).headers.get('content-security-policy')
  assert.notEqual(other, policy)
})

test('a guest has no session until something is put into the basket, without scripts', async () => {
  assert.deepEqual((await web.get('/products/brie')).headers.getSetCookie(), [])
  inCart = 0
  const put = await web.post('/cart', { intent: 'add', variantId, quantity: '2' })
  assert.equal(put.status, 302)
  assert.equal(put.headers.get('location'), '/cart')
  const [cookie = ''] = put.headers.getSetCookie()
  assert.match(cookie, /^session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=\d+$/)
  const html = await (await web.get('/cart', { cookie: cookieOf(put) })).text()
  assert.match(html, /€5\.80/)
  assert.match(html, /The price went up from €2\.50 to €2\.90\./)
  assert.match(html, /2 pieces/)
})

test('a form of another site changes nothing', async () => {
  const form = { intent: 'add', variantId, quantity: '1' }
  const before = api.calls.length
  for (const headers of [
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
  ] as Record<string, string>[]) {
    assert.equal((await web.post('/cart', form, headers)).status, 403)
  }
  const old = await fetch(`${web.url}/cart`, {
    method: 'POST',
    redirect: 'manual',
    headers: { origin: 'https://evil.example', cookie: 'session=x' },
    body: new URLSearchParams(form),
  })
  assert.equal(old.status, 403)
  assert.equal(api.calls.length, before)
})

test('what is too large or not understood is refused with a status, never with an error of ours', async () => {
  const large = await web.post('/cart', { intent: 'add', variantId: 'x'.repeat(70_000) })
  assert.equal(large.status, 413)
  assert.equal((await web.post('/cart', { intent: 'add', variantId: '../../x' })).status, 422)
  assert.equal((await fetch(`${web.url}/cart`, { method: 'DELETE' })).status, 405)
  assert.equal((await web.get('/assets/none.js')).status, 404)
  assert.equal((await web.get('//evil.example/x')).status, 404)
})

test('an address that does not exist is a page that leads on', async () => {
  for (const path of ['/nothing', '/nothing/here', '/products/unknown', '/stalls/unknown']) {
    const page = await web.get(path)
    assert.equal(page.status, 404, path)
    const html = await page.text()
    assert.match(html, /There is no such stall/)
    // The way on: the header with its stalls is that of every page.
    assert.match(html, /href="\/stalls\/cheese"/)
  }
})

test('a part that is away has a page of its own that says what still works', async () => {
  away.add('carts')
  const put = await web.post('/cart', { intent: 'add', variantId, quantity: '1' })
  assert.equal(put.status, 422)
  away.add('products')
  const page = await web.get('/products/brie')
  away.clear()
  const html = await page.text()
  assert.equal(page.status, 503)
  assert.match(html, /The catalogue does not answer/)
  assert.doesNotMatch(html, /\bat .*\.js:\d+/)
})

test('a catalogue that the gateway kept is marked as such', async () => {
  isStale = true
  const html = await (await web.get('/products/brie')).text()
  isStale = false
  assert.match(html, /may be some minutes old/)
  assert.doesNotMatch(await (await web.get('/products/brie')).text(), /may be some minutes old/)
})

test('signing in gives a new session, brings the basket along and keeps tokens away from the browser', async () => {
  inCart = 0
  const guest = await web.post('/cart', { intent: 'add', variantId, quantity: '1' })
  const wrong = await web.post('/sign-in', { email: 'a@example.com', password: 'wrong' })
  assert.equal(wrong.status, 422)
  assert.match(await wrong.text(), /E-mail or password is not right/)
  const form = { email: 'a@example.com', password: 'right' }
  const signedIn = await web.post('/sign-in?next=/account', form, { cookie: cookieOf(guest) })
  assert.equal(signedIn.headers.get('location'), '/account')
  assert.notEqual(cookieOf(signedIn), cookieOf(guest))
  assert.ok(api.calls.some(({ path }) => path === `/api/v1/carts/${cartId}/claim`))
  const cookie = cookieOf(signedIn)
  const html = await (await web.get('/', { cookie })).text()
  assert.match(html, /Ada/)
  assert.doesNotMatch(html, /e30\.|refresh"/)
  const { rows } = await web.database.database.pool.query('select * from sessions')
  const stored = JSON.stringify(rows.map((row) => ({ ...row, sealed: String(row.sealed) })))
  assert.doesNotMatch(stored, /Ada|refresh"|e30\./)
  assert.ok(!stored.includes(cookie.slice('session='.length)))
  const old = await web.get('/', { cookie: cookieOf(guest) })
  assert.match(old.headers.getSetCookie().join(), /Max-Age=0/)
})

test('a sign-in never leads to another site', async () => {
  const form = { email: 'a@example.com', password: 'right' }
  for (const next of ['https://evil.example', '//evil.example', '/\\evil.example']) {
    const answered = await web.post(`/sign-in?next=${encodeURIComponent(next)}`, form)
    assert.equal(answered.headers.get('location'), '/', next)
  }
})

test('the office asks guests to sign in and refuses shoppers', async () => {
  const guest = await web.get('/office')
  assert.equal(guest.headers.get('location'), '/sign-in?next=%2Foffice')
  const form = { email: 'a@example.com', password: 'right' }
  const cookie = cookieOf(await web.post('/sign-in', form))
  for (const path of ['/office', '/console']) {
    const page = await web.get(path, { cookie })
    assert.equal(page.status, 403, path)
    assert.match(await page.text(), /Staff only/)
  }
})

test('the visitor’s address goes on to the API, and only the last hop is believed', async () => {
  await web.get('/products/brie', { 'x-forwarded-for': '6.6.6.6, 203.0.113.9' })
  const call = api.calls.findLast(({ path }) => path === '/api/v1/products/brie')
  assert.equal(call?.headers['x-forwarded-for'], '203.0.113.9')
})

test('files are kept by browsers for good, compressed beforehand', async () => {
  const html = await (await web.get('/')).text()
  const [style = ''] = /\/assets\/[\w-]+\.css/.exec(html) ?? []
  const file = await web.get(style, { 'accept-encoding': 'br' })
  assert.equal(file.headers.get('cache-control'), 'public, max-age=31536000, immutable')
  assert.equal(file.headers.get('content-encoding'), 'br')
  assert.match(await file.text(), /--paper/)
  const again = await web.get(style, { 'if-none-match': file.headers.get('etag') ?? '' })
  assert.equal(again.status, 304)
})

test('a product without a picture has one that we draw, the same each time', async () => {
  const drawn = await web.get('/pictures/brie.svg?stall=Cheese')
  assert.equal(drawn.headers.get('content-type'), 'image/svg+xml')
  const text = await drawn.text()
  assert.match(text, /^<svg [^>]*width="400" height="400"/)
  assert.equal(await (await web.get('/pictures/brie.svg?stall=Cheese')).text(), text)
})
