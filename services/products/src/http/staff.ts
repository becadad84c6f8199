import type {
  Operations,
  PriceChange as PriceChangeBody,
} from '@halles/contracts/gen/http/products'
import { type HttpServer, reply, versionEtag } from '@halles/kit/http-server'
import { fromCursor, fromNumberCursor, toCursor, toNumberCursor } from '../cursor.ts'
import { toCatalogueEntry, toStaffProduct } from '../domain/documents.ts'
import type { PriceRule } from '../domain/price-change.ts'
import type { Product } from '../domain/product.ts'
import type { Deps, PastPrice } from '../ports.ts'
import { addImage, readImage } from '../use-cases/images.ts'
import { changePrices } from '../use-cases/price-changes.ts'
import { editVariants } from '../use-cases/products.ts'
import { listCatalogue, readPriceHistory, readProduct } from '../use-cases/staff-catalogue.ts'
import { editOf, subjectOf, variantIdOf } from './edits.ts'

const historyList = 'price-history'

/** What the staff see and do beyond the shop's own catalogue, and the images that they upload. */
export function serveStaff(server: HttpServer<Operations>, deps: Deps): void {
  serveReaders(server, deps)
  serveImages(server, deps)

  server.on('replaceVariants', async ({ params, body, headers, caller }) => {
    const edit = editOf(subjectOf(caller), headers)
    return staffReply(await editVariants(deps, params.productId.toLowerCase(), body, edit))
  })

  server.on('changePrices', async ({ body, caller }) => {
    const { selection, dryRun = false, fingerprint } = body
    return changePrices(deps, {
      selection,
      rule: toRule(body),
      agreed: dryRun ? undefined : { fingerprint },
      by: subjectOf(caller),
    })
  })
}

function serveReaders(server: HttpServer<Operations>, deps: Deps): void {
  server.on('listCatalogue', async ({ query }) => {
    const { q: text, cursor, sort, ...filter } = query
    const { items, next } = await listCatalogue(deps, {
      ...{ status: undefined, category: undefined, maxAvailable: undefined },
      ...filter,
      text,
      sort,
      after: cursor === undefined ? undefined : fromCursor(sort, cursor),
    })
    return {
      items: items.map(toCatalogueEntry),
      nextCursor: next === undefined ? null : toCursor(sort, next),
    }
  })

  server.on('getCatalogueProduct', async ({ params }) =>
    staffReply(await readProduct(deps, params.productId.toLowerCase())),
  )

  server.on('getPriceHistory', async ({ params, query: { limit, cursor } }) => {
    const { items, nextId } = await readPriceHistory(deps, {
      variantId: variantIdOf(params),
      before: cursor === undefined ? undefined : fromNumberCursor(historyList, cursor),
      limit,
    })
    return {
      items: items.map(toPastPriceView),
      nextCursor: nextId === undefined ? null : toNumberCursor(historyList, nextId),
    }
  })
}

function serveImages(server: HttpServer<Operations>, deps: Deps): void {
  server.on('addImage', async ({ params, query, rawBody, headers, caller }) => {
    const { image, version } = await addImage(
      deps,
      { productId: params.productId.toLowerCase(), content: rawBody, alt: query.alt },
      editOf(subjectOf(caller), headers),
    )
    return reply(image, { headers: { etag: versionEtag(version), location: image.url } })
  })

  server.on('getImage', async ({ params }) => {
    const imageId = params.imageId.toLowerCase()
    const width = Number(params.imageWidth)
    return reply(await readImage(deps, { imageId, width }), {
      headers: {
        'content-type': 'image/webp',
        // An image is written once; another one has another id.
        'cache-control': 'public, max-age=31536000, immutable',
        etag: `"${imageId}-${width}"`,
      },
    })
  })
}

function toRule({ change, rounding = 'none', currency }: PriceChangeBody): PriceRule {
  const { basisPoints, amountMinor } = change
  return {
    change: amountMinor === undefined ? { basisPoints: basisPoints ?? 0 } : { amountMinor },
    rounding,
    currency,
  }
}

function staffReply(product: Product) {
  return reply(toStaffProduct(product), { headers: { etag: versionEtag(product.version) } })
}

function toPastPriceView({ at, by, fromMinor, toMinor, currency }: PastPrice) {
  return {
    at: at.toISOString(),
    by,
    from: { amountMinor: fromMinor, currency },
    to: { amountMinor: toMinor, currency },
  }
}
