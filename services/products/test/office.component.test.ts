import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type {
  CataloguePage,
  Image,
  PriceChangeResult,
  PriceHistory,
  Product,
  StaffProduct,
} from '@halles/contracts/gen/http/products'
import { loadConfig } from '@halles/kit/config'
import { uuidv7 } from '@halles/kit/ids'
import { createTestDatabase, type TestDatabase } from '@halles/kit/testing'
import { startTokenAuthority, type TokenAuthority } from '@halles/kit/testing-authority'
import sharp from 'sharp'
import { createApp, type ProductsApp } from '../src/app.ts'
import { schema } from '../src/config.ts'
import { aNewProduct, euros, unique } from './fixtures.ts'

let own: TestDatabase
let broker: TestDatabase
let authority: TokenAuthority
let app: ProductsApp
let editor: string
let reader: string

before(async () => {
  own = await createTestDatabase()
  broker = await createTestDatabase()
  authority = await startTokenAuthority([
    { role: 'editor', permissions: ['products:read', 'products:write'], version: 1 },
    { role: 'reader', permissions: ['products:read'], version: 1 },
  ])
  editor = authority.bearer(uuidv7(), ['editor'])
  reader = authority.bearer(uuidv7(), ['reader'])
  app = createApp(
    loadConfig(schema, {
      DATABASE_URL: own.url,
      MESSAGES_URL: broker.url,
      INTERNAL_SECRET: 'x'.repeat(32),
      JWKS_URLS: authority.jwksUrl,
      RBAC_URLS: authority.url,
      LOG_LEVEL: 'silent',
    }),
  )
  await app.start()
})

after(async () => {
  await app?.stop()
  authority?.close()
  await own?.drop()
  await broker?.drop()
})

type Answer<Body> = { status: number; headers: Headers; body: Body }
type Problem = { code: string; errors?: { pointer: string }[] }
type Sent = { body?: unknown; headers?: Record<string, string>; as?: string | undefined }

async function call<Body>(method: string, path: string, sent: Sent = {}): Promise<Answer<Body>> {
  const { body, as = editor } = sent
  const isBinary = body instanceof Uint8Array
  const answer = await fetch(`http://127.0.0.1:${app.httpPort()}/api/v1${path}`, {
    method,
    headers: {
      authorization: as,
      ...(body === undefined || isBinary ? {} : { 'content-type': 'application/json' }),
      ...sent.headers,
    },
    ...(body === undefined ? {} : { body: isBinary ? Buffer.from(body) : JSON.stringify(body) }),
  })
  const isJson = answer.headers.get('content-type')?.includes('json')
  const content = isJson ? await answer.json() : Buffer.from(await answer.arrayBuffer())
  return { status: answer.status, headers: answer.headers, body: content as Body }
}

async function create(input = {}): Promise<Product> {
  const { status, body } = await call<Product>('POST', '/products', { body: aNewProduct(input) })
  assert.equal(status, 201)
  return body
}

const pointersOf = ({ body }: Answer<unknown>) =>
  ((body as Problem).errors ?? []).map(({ pointer }) => pointer)

const photo = (width: number, height: number) =>
  sharp({ create: { width, height, channels: 3, background: '#a04020' } })

const upload = <Body>(productId: string, body: Uint8Array, headers = {}) =>
  call<Body>('POST', `/products/${productId}/images?alt=A%20basket`, {
    body,
    headers: { 'content-type': 'image/jpeg', ...headers },
  })

test('the staff find drafts and removed products, with their stock; shoppers do not', async () => {
  const category = unique('category')
  const active = await create({ category })
  const draft = await create({ category, status: 'draft' })
  const gone = await create({ category })
  assert.equal((await call('DELETE', `/products/${gone.id}`)).status, 204)
  const list = (query: string, as?: string) =>
    call<CataloguePage>('GET', `/catalogue?category=${category}${query}`, { as })
  const idsOf = async (query: string) => (await list(query, reader)).body.items.map(({ id }) => id)
  assert.deepEqual(await idsOf(''), [gone.id, draft.id, active.id])
  assert.deepEqual(await idsOf('&status=draft'), [draft.id])
  assert.deepEqual(await idsOf(`&q=${draft.title}`), [draft.id])
  assert.deepEqual(await idsOf(`&q=${active.title}&sort=title`), [active.id])
  const [entry] = (await list('&status=active')).body.items
  assert.deepEqual(
    entry?.variants.map(({ quantity, reserved, available }) => [quantity, reserved, available]),
    [[20, 0, 20]],
  )
  const one = await call<StaffProduct>('GET', `/catalogue/${gone.id}`)
  assert.deepEqual([one.body.status, one.body.variants.length], ['removed', 1])
  assert.equal((await call('GET', `/catalogue/${uuidv7()}`)).status, 404)
  const nobody = authority.bearer(uuidv7(), [])
  assert.equal((await list('', nobody)).status, 403)
})

for (const sort of ['newest', 'title', 'updated']) {
  test(`the catalogue of the staff is read page by page by ${sort}`, async () => {
    const category = unique('pages')
    const made: string[] = []
    for (let count = 0; count < 5; count += 1) made.push((await create({ category })).id)
    const seen: string[] = []
    let cursor = ''
    do {
      const query = `category=${category}&sort=${sort}&limit=2${cursor && `&cursor=${cursor}`}`
      const { body } = await call<CataloguePage>('GET', `/catalogue?${query}`)
      seen.push(...body.items.map(({ id }) => id))
      cursor = body.nextCursor ?? ''
    } while (cursor !== '')
    assert.deepEqual(seen.toSorted(), made.toSorted())
  })
}

test('what is scarce is found by what is available', async () => {
  const category = unique('scarce')
  const stocked = (quantity: number) =>
    create({ category, variants: [{ sku: unique('S'), price: euros(100), quantity }] })
  const [none, few, many] = [await stocked(0), await stocked(4), await stocked(40)]
  const below = async (most: number) => {
    const path = `/catalogue?category=${category}&maxAvailable=${most}`
    return (await call<CataloguePage>('GET', path)).body.items.map(({ id }) => id)
  }
  assert.deepEqual(await below(0), [none.id])
  assert.deepEqual(await below(5), [few.id, none.id])
  assert.deepEqual(await below(100), [many.id, few.id, none.id])
})

test('variants are added, edited and removed together; a removed SKU is free again', async () => {
  const skus = [unique('A'), unique('B'), unique('C')]
  const product = await create({
    options: ['Size'],
    variants: [
      { sku: skus[0], optionValues: ['S'], price: euros(100), quantity: 3 },
      { sku: skus[1], optionValues: ['M'], price: euros(200), quantity: 4 },
    ],
  })
  const [small, medium] = product.variants
  const body = {
    options: ['Format'],
    variants: [
      { id: medium?.id, sku: skus[2], optionValues: ['Medium'], price: euros(250) },
      { sku: skus[0], optionValues: ['Large'], price: euros(300), quantity: 7 },
    ],
  }
  const path = `/products/${product.id}/variants`
  const stale = await call<Problem>('PUT', path, { body, headers: { 'if-match': '"9"' } })
  assert.deepEqual([stale.status, stale.body.code], [412, 'VERSION_MISMATCH'])
  const changed = await call<StaffProduct>('PUT', path, { body, headers: { 'if-match': '"1"' } })
  assert.equal(changed.status, 200)
  assert.deepEqual(
    changed.body.variants.map(({ sku, title, quantity, price }) => [
      sku,
      title,
      quantity,
      price.amountMinor,
    ]),
    [
      [skus[2], 'Medium', 4, 250],
      [skus[0], 'Large', 7, 300],
    ],
  )
  const shown = await call<Product>('GET', `/products/${product.id}`)
  assert.deepEqual(
    shown.body.variants.map(({ id }) => id),
    changed.body.variants.map(({ id }) => id),
  )
  assert.equal((await call('GET', `/variants/${small?.id}/stock`)).status, 404)
  const history = await call<PriceHistory>('GET', `/variants/${medium?.id}/price-history`)
  assert.deepEqual(
    history.body.items.map(({ from, to }) => [from.amountMinor, to.amountMinor]),
    [[200, 250]],
  )
})

test('variants that do not fit are refused by name', async () => {
  const product = await create()
  const other = await create()
  const known = product.variants[0]?.id
  const put = (variants: object[]) =>
    call<Problem>('PUT', `/products/${product.id}/variants`, { body: { options: [], variants } })
  const price = euros(100)
  const faults = await put([
    { id: uuidv7(), sku: 'X-1', price },
    { id: known, sku: 'X-2', price, quantity: 3 },
    { sku: 'X-2', price },
  ])
  assert.equal(faults.status, 400)
  assert.deepEqual(pointersOf(faults).toSorted(), [
    '/body/variants/0/id',
    '/body/variants/1/optionValues',
    '/body/variants/1/quantity',
    '/body/variants/2/optionValues',
    '/body/variants/2/sku',
  ])
  const taken = await put([{ id: known, sku: other.variants[0]?.sku, price }])
  assert.deepEqual([taken.status, taken.body.code], [409, 'SKU_TAKEN'])
  assert.deepEqual(pointersOf(taken), ['/body/variants/0/sku'])
  const dollars = { amountMinor: 100, currency: 'USD' }
  const mixed = await put([{ id: known, sku: unique('X'), price: dollars }])
  assert.deepEqual([mixed.status, mixed.body.code], [422, 'CURRENCY_MISMATCH'])
})

test('prices change together as the preview has shown, and only once', async () => {
  const category = unique('sale')
  const priced = (amountMinor: number) =>
    create({ category, variants: [{ sku: unique('P'), price: euros(amountMinor) }] })
  const [cheap, dear] = [await priced(1_000), await priced(12_345)]
  const body = {
    selection: { category },
    change: { basisPoints: -1_000 },
    rounding: '99',
    currency: 'EUR',
  }
  const ask = (more: object) =>
    call<PriceChangeResult>('POST', '/price-changes', { body: { ...body, ...more } })
  const preview = await ask({ dryRun: true })
  assert.equal(preview.status, 200)
  const told = new Map(
    preview.body.lines.map(({ productId, from, to }) => [
      productId,
      [from.amountMinor, to.amountMinor],
    ]),
  )
  assert.deepEqual(told.get(cheap.id), [1_000, 899])
  assert.deepEqual(told.get(dear.id), [12_345, 11_099])
  assert.equal(preview.body.isApplied, false)
  const { fingerprint } = preview.body
  assert.deepEqual(pointersOf(await ask({})), ['/body/fingerprint'])

  const applied = await ask({ fingerprint })
  assert.deepEqual([applied.status, applied.body.isApplied], [200, true])
  const now = await call<Product>('GET', `/products/${dear.id}`)
  assert.deepEqual([now.body.variants[0]?.price, now.body.version], [euros(11_099), 2])
  const history = `/variants/${dear.variants[0]?.id}/price-history`
  const { items } = (await call<PriceHistory>('GET', history)).body
  assert.deepEqual(items[0]?.to, euros(11_099))
  const again = await ask({ fingerprint })
  assert.deepEqual([again.status, (again.body as unknown as Problem).code], [409, 'PRICES_CHANGED'])
})

test('a price that changed after the preview is not changed again', async () => {
  const product = await create()
  const variantId = product.variants[0]?.id ?? ''
  const body = {
    selection: { variantIds: [variantId, uuidv7()] },
    change: { amountMinor: 50 },
    currency: 'EUR',
  }
  const preview = await call<PriceChangeResult>('POST', '/price-changes', {
    body: { ...body, dryRun: true },
  })
  assert.deepEqual([preview.body.lines.length, preview.body.unchanged], [1, 1])
  await call('PUT', `/variants/${variantId}/price`, { body: euros(700) })
  const { fingerprint } = preview.body
  const late = await call<Problem>('POST', '/price-changes', { body: { ...body, fingerprint } })
  assert.deepEqual([late.status, late.body.code], [409, 'PRICES_CHANGED'])
  const nothing = { ...body, change: { amountMinor: -700 }, dryRun: true }
  const free = await call<Problem>('POST', '/price-changes', { body: nothing })
  assert.deepEqual([free.status, free.body.code], [422, 'PRICE_OUT_OF_RANGE'])
  const yen = { ...body, currency: 'JPY', rounding: '99', dryRun: true }
  const rounded = await call<Problem>('POST', '/price-changes', { body: yen })
  assert.deepEqual([rounded.status, rounded.body.code], [422, 'ROUNDING_NOT_POSSIBLE'])
})

test('an image is turned upright, freed of its metadata and served in three widths', async () => {
  const product = await create()
  const taken = await photo(2_000, 1_000)
    .withExif({ IFD0: { Artist: 'Odette' } })
    .withMetadata({ orientation: 6 })
    .jpeg()
    .toBuffer()
  const { status, headers, body } = await upload<Image>(product.id, taken)
  assert.equal(status, 201)
  assert.deepEqual([headers.get('etag'), body.alt, body.width], ['"2"', 'A basket', 1_000])
  assert.equal(body.height, 2_000)
  for (const [width, expected] of [
    [320, 320],
    [640, 640],
    [1280, 1_000],
  ]) {
    const path = body.url.replace('/api/v1', '').replace('1280.webp', `${width}.webp`)
    const image = await call<Buffer>('GET', path, { as: '' })
    assert.equal(image.status, 200)
    assert.equal(image.headers.get('content-type'), 'image/webp')
    assert.equal(image.headers.get('cache-control'), 'public, max-age=31536000, immutable')
    const found = await sharp(image.body).metadata()
    assert.deepEqual([found.format, found.width, found.exif], ['webp', expected, undefined])
  }
  const shown = await call<Product>('GET', `/products/${product.id}`)
  assert.deepEqual(shown.body.images, [body])

  const keep = await call<Product>('PATCH', `/products/${product.id}`, {
    body: { images: [{ ...body, alt: 'A red basket' }] },
  })
  assert.deepEqual(keep.body.images, [{ ...body, alt: 'A red basket' }])
  const elsewhere = await create()
  const stolen = await call('PATCH', `/products/${elsewhere.id}`, { body: { images: [body] } })
  assert.deepEqual([stolen.status, pointersOf(stolen)], [400, ['/body/images/0/url']])
  await call('PATCH', `/products/${product.id}`, { body: { images: [] } })
  assert.equal((await call('GET', body.url.replace('/api/v1', ''))).status, 404)
})

test('what is no image, or claims too many pixels, is refused before it is decoded', async () => {
  const product = await create()
  const png = await photo(10, 10).png().toBuffer()
  // The header of a picture of 60,000 by 60,000 points in a file of a few bytes.
  const bomb = Buffer.from(png)
  bomb.writeUInt32BE(60_000, 16)
  bomb.writeUInt32BE(60_000, 20)
  const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')
  for (const content of [svg, bomb, png.subarray(0, 40), Buffer.from('RIFF....WEBPVP8 ')]) {
    const { status, body } = await upload<Problem>(product.id, content)
    assert.deepEqual([status, body.code], [422, 'IMAGE_NOT_USABLE'])
  }
  const text = await upload<Problem>(product.id, png, { 'content-type': 'image/svg+xml' })
  assert.equal(text.status, 415)
  const nameless = await call<Problem>('POST', `/products/${product.id}/images`, {
    body: png,
    headers: { 'content-type': 'image/png' },
  })
  assert.deepEqual([nameless.status, pointersOf(nameless)], [400, ['/query/alt']])
  const unknown = await upload<Problem>(uuidv7(), png)
  assert.deepEqual([unknown.status, unknown.body.code], [404, 'PRODUCT_NOT_FOUND'])
})

test('a product takes at most twenty uploaded images', async () => {
  const product = await create()
  const png = await photo(4, 4).png().toBuffer()
  for (let count = 0; count < 20; count += 1) {
    assert.equal((await upload(product.id, png)).status, 201)
  }
  const { status, body } = await upload<Problem>(product.id, png)
  assert.deepEqual([status, body.code], [409, 'TOO_MANY_IMAGES'])
})
