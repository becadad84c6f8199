import {
  type Import as ImportView,
  type Operations,
  type ProductPage,
  type Product as ProductView,
  routes,
  type Stock,
} from '@halles/contracts/gen/http/products'
import { type HttpServer, reply, versionEtag } from '@halles/kit/http-server'
import { fromCursor, toCursor } from '../cursor.ts'
import { toDocument } from '../domain/documents.ts'
import type { Product, Variant } from '../domain/product.ts'
import type { Deps, Import } from '../ports.ts'
import { getImport, startImport } from '../use-cases/imports.ts'
import {
  createProduct,
  dropProduct,
  getProduct,
  getStock,
  listProducts,
  setPrice,
  setStock,
  updateProduct,
} from '../use-cases/products.ts'
import { editOf, subjectOf, variantIdOf } from './edits.ts'
import { serveStaff } from './staff.ts'

export { routes }

export type HttpDeps = Deps & {
  shopCurrency: string
  /** Called when an import was accepted. */
  wakeImporter: () => void
}

// Invoice files give no stock; enough for a shop that replays a month of them.
const defaultImportQuantity = 1_000

/** Serves the contract `products`. */
export function serveProducts(server: HttpServer<Operations>, deps: HttpDeps): void {
  serveCatalogue(server, deps)
  serveEdits(server, deps)
  serveImports(server, deps)
  serveStaff(server, deps)
}

function serveCatalogue(server: HttpServer<Operations>, deps: HttpDeps): void {
  server.on('listProducts', async ({ query: { limit, sort, q, category, cursor } }) => {
    const after = cursor === undefined ? undefined : fromCursor(sort, cursor)
    const page = await listProducts(deps, { limit, sort, text: q, category, after })
    const nextCursor = page.next === undefined ? null : toCursor(sort, page.next)
    const text = `{"items":[${page.items}],"nextCursor":${JSON.stringify(nextCursor)}}`
    const tags = page.ids.map((id) => ` product:${id}`).join('')
    return readyJson<ProductPage>(text, { 'cache-tag': `products${tags}` })
  })

  server.on('getProduct', async ({ params, headers }) => {
    const { id, version, document } = await getProduct(deps, params.idOrSlug)
    const etag = versionEtag(version)
    const known = (headers as Record<string, unknown> | undefined)?.['if-none-match']
    const caching = { etag, 'cache-tag': `product:${id}` }
    if (known === etag)
      return reply(null as unknown as ProductView, { status: 304, headers: caching })
    return readyJson<ProductView>(document, caching)
  })
}

function serveEdits(server: HttpServer<Operations>, deps: HttpDeps): void {
  server.on('createProduct', async ({ body, caller }) => {
    const product = await createProduct(deps, body, subjectOf(caller))
    return productReply(product, { location: `/api/v1/products/${product.id}` })
  })

  server.on('updateProduct', async ({ params, body, headers, caller }) =>
    productReply(
      await updateProduct(deps, params.productId, body, editOf(subjectOf(caller), headers)),
    ),
  )

  server.on('removeProduct', async ({ params, headers, caller }) =>
    dropProduct(deps, params.productId, editOf(subjectOf(caller), headers)),
  )

  server.on('setPrice', async ({ params, body, headers, caller }) =>
    productReply(
      await setPrice(deps, variantIdOf(params), body, editOf(subjectOf(caller), headers)),
    ),
  )

  server.on('getStock', async ({ params }) => stockReply(await getStock(deps, variantIdOf(params))))

  server.on('setStock', async ({ params, body, headers, caller }) => {
    const { by, expectedVersion: seen } = editOf(subjectOf(caller), headers)
    return stockReply(
      await setStock(deps, variantIdOf(params), { onHand: body.quantity, seen, by }),
    )
  })
}

function serveImports(server: HttpServer<Operations>, deps: HttpDeps): void {
  server.on('importProducts', async ({ body, query, caller }) => {
    const started = await startImport(deps, {
      content: body,
      currency: query.currency ?? deps.shopCurrency,
      quantity: query.quantity ?? defaultImportQuantity,
      createdBy: subjectOf(caller),
    })
    deps.wakeImporter()
    const location = `/api/v1/products/imports/${started.id}`
    return reply(toImportView(started), { headers: { location } })
  })

  server.on('getImport', async ({ params }) => toImportView(await getImport(deps, params.importId)))
}

/** JSON that lies ready in the store is sent as it is: parsing it to write it again costs most. */
function readyJson<Body>(text: string, headers: Readonly<Record<string, string>>) {
  return reply(text as unknown as Body, {
    headers: { 'content-type': 'application/json; charset=utf-8', ...headers },
  })
}

function productReply(product: Product, headers: Readonly<Record<string, string>> = {}) {
  return reply(toDocument(product), { headers: { etag: versionEtag(product.version), ...headers } })
}

/** Its tag tells the pieces on hand, which is what a `PUT` replaces. */
function stockReply({ variant, version }: { variant: Variant; version: number }) {
  const { id: variantId, onHand: quantity, reserved } = variant
  const stock: Stock = { variantId, quantity, reserved, available: quantity - reserved, version }
  return reply(stock, { headers: { etag: versionEtag(quantity) } })
}

function toImportView({ createdAt, ...found }: Import): ImportView {
  return { ...found, createdAt: createdAt.toISOString() }
}
