import { setImmediate } from 'node:timers/promises'
import type { CsvRow } from './csv.ts'
import {
  type ImportedImage,
  type ImportedProduct,
  type ImportedVariant,
  importLimits,
} from './imported-product.ts'
import { type Fault, isFault, type Rejections } from './rejections.ts'
import {
  isDefaultOption,
  isVariantRow,
  optionNamesOf,
  parseImage,
  parseVariant,
  type ShopifyCells,
  type ShopifyRow,
  type ShopifySettings,
  shopifyColumns,
} from './shopify-row.ts'
import { cleanLine, sanitiseDescription, shortHash, slugify } from './text.ts'

export const shopifyHeaders = ['Handle', 'Title', 'Variant Price'] as const

/** Sanitising a body takes up to a few ms; after this many products others get their turn. */
const productsPerTurn = 20

type Settings = ShopifySettings & { rejections: Rejections }
/** A product's rows while they are read; `lost` counts those already rejected one by one. */
type Group = { rows: ShopifyRow[]; lost: number }
type Taken = { slugs: Set<string>; skus: Set<string> }

/**
 * Gathers products from the rows of a Shopify product CSV, joined by handle. A row with a fault is
 * rejected alone; a product that would be broken is rejected as a whole.
 */
export function createShopifyReader(header: readonly string[], settings: Settings) {
  const columns = Object.entries(shopifyColumns).map(
    ([key, name]) => [key, header.indexOf(name.toLowerCase())] as const,
  )
  const groups = new Map<string, Group>()

  function row({ line, fields }: CsvRow): void {
    const cells = Object.fromEntries(
      columns.map(([key, at]) => [key, fields[at] ?? '']),
    ) as ShopifyCells
    const handle = cleanLine(cells.handle)
    if (handle === '') {
      const reason = 'The handle that joins the rows of a product is missing.'
      settings.rejections.add(line, { code: 'HANDLE_MISSING', reason, field: 'Handle' })
      return
    }
    const group = groups.get(handle) ?? { rows: [], lost: 0 }
    group.rows.push({ line, cells })
    groups.set(handle, group)
  }

  async function finish() {
    const products: ImportedProduct[] = []
    const taken: Taken = { slugs: new Set(), skus: new Set() }
    let acceptedLines = 0
    let read = 0
    for (const [handle, group] of groups) {
      const product = toProduct(handle, group, settings)
      const fault = isFault(product) ? product : findCollision(product, taken)
      const line = group.rows[0]?.line ?? 0
      const rows = group.rows.length - group.lost
      if (fault) settings.rejections.add(line, fault, rows)
      if (!isFault(product) && !fault) {
        taken.slugs.add(product.slug)
        for (const { sku } of product.variants) taken.skus.add(sku)
        products.push(product)
        acceptedLines += rows
      }
      read += 1
      if (read % productsPerTurn === 0) await setImmediate()
    }
    return { products, acceptedLines }
  }
  return { row, finish }
}

function findCollision({ slug, variants }: ImportedProduct, taken: Taken): Fault | undefined {
  if (taken.slugs.has(slug)) {
    const reason = `Another product of this file has the address ${slug}.`
    return { code: 'DUPLICATE_SLUG', reason, field: 'Handle' }
  }
  const sku = variants.find((variant) => taken.skus.has(variant.sku))?.sku
  return sku === undefined ? undefined : duplicateSku(sku)
}

function duplicateSku(sku: string): Fault {
  const reason = `The SKU ${sku} is given to more than one variant.`
  return { code: 'DUPLICATE_SKU', reason, field: shopifyColumns.sku }
}

function toProduct(handle: string, group: Group, settings: Settings): ImportedProduct | Fault {
  const facts = parseFacts(handle, group)
  if (isFault(facts)) return facts
  const options = parseOptions(group)
  if ('code' in options) return options
  const variants = readVariants(group, options, { ...settings, slug: facts.slug })
  const fault = checkVariants(variants)
  if (fault) return fault
  const images = readImages(group, settings.rejections)
  return isFault(images) ? images : { ...facts, options, images, variants }
}

/** What is said of the product itself, on whichever of its rows says it first. */
function parseFacts(handle: string, { rows }: Group) {
  const first = (key: keyof ShopifyCells) =>
    rows.find(({ cells }) => cells[key].trim() !== '')?.cells[key] ?? ''
  const isTrue = (key: keyof ShopifyCells) => /^(true|yes|1)$/i.test(first(key).trim())
  const title = cleanLine(first('title'))
  if (title === '') {
    return fault('TITLE_MISSING', 'The product has no title.', shopifyColumns.title)
  }
  if (isTrue('giftCard')) {
    return fault('GIFT_CARD', 'A gift card is not a good with stock.', shopifyColumns.giftCard)
  }
  const body = first('body')
  const tooBig = longerThan(body, importLimits.body, shopifyColumns.body)
  if (tooBig) return tooBig
  const descriptionHtml = sanitiseDescription(body)
  const vendor = cleanLine(first('vendor'))
  const category =
    cleanLine(first('type')) || cleanLine(first('productCategory').split('>').at(-1) ?? '')
  const tags = parseTags(first('tags'))
  const tooLong =
    longerThan(title, importLimits.title, shopifyColumns.title) ??
    longerThan(descriptionHtml, importLimits.description, shopifyColumns.body) ??
    longerThan(vendor, importLimits.vendor, shopifyColumns.vendor) ??
    longerThan(category, importLimits.category, shopifyColumns.type) ??
    tags.map((tag) => longerThan(tag, importLimits.tag, shopifyColumns.tags)).find(Boolean)
  if (tooLong) return tooLong
  if (tags.length > importLimits.tags) return tooMany('tags', importLimits.tags, 'Tags')
  const isPublished = first('published') === '' || isTrue('published')
  const isActive = /^(active)?$/i.test(first('status').trim())
  return {
    slug: slugify(handle) || slugify(title) || `product-${shortHash(handle)}`,
    title,
    descriptionHtml,
    vendor: vendor || null,
    category: category || null,
    tags,
    status: isPublished && isActive ? ('active' as const) : ('draft' as const),
  }
}

function fault(code: Fault['code'], reason: string, field: string): Fault {
  return { code, reason, field }
}

function longerThan(text: string, limit: number, field: string): Fault | undefined {
  if (text.length <= limit) return undefined
  return fault('TOO_LONG', `${field} is longer than ${limit} characters.`, field)
}

function tooMany(what: string, limit: number, field: string): Fault {
  return fault('TOO_MANY', `The product has more than ${limit} ${what}.`, field)
}

function parseTags(text: string): string[] {
  const tags = new Map<string, string>()
  for (const part of text.split(',')) {
    const tag = cleanLine(part)
    if (tag !== '' && !tags.has(tag.toLowerCase())) tags.set(tag.toLowerCase(), tag)
  }
  return [...tags.values()]
}

function parseOptions({ rows }: Group): string[] | Fault {
  const named = rows.find(({ cells }) => optionNamesOf(cells).some((name) => name !== ''))
  if (!named) return []
  const names = optionNamesOf(named.cells)
  if (isDefaultOption(names, named.cells)) return []
  const options = names.filter((name) => name !== '')
  const hasGap = names.slice(0, options.length).includes('')
  const isRepeated = new Set(options.map((name) => name.toLowerCase())).size < options.length
  if (hasGap || isRepeated) {
    const reason = 'The option names have a gap or are not different from each other.'
    return fault('OPTION_MISMATCH', reason, shopifyColumns.option1Name)
  }
  const tooLong = options.find((name) => name.length > importLimits.optionName)
  const field = shopifyColumns.option1Name
  return (tooLong && longerThan(tooLong, importLimits.optionName, field)) || options
}

function readVariants(
  group: Group,
  options: readonly string[],
  settings: Settings & { slug: string },
): ImportedVariant[] {
  const variants: ImportedVariant[] = []
  for (const row of group.rows) {
    if (!isVariantRow(row.cells)) continue
    const variant = parseVariant(row, options, settings)
    if (isFault(variant)) {
      settings.rejections.add(row.line, variant)
      group.lost += 1
    } else {
      variants.push(variant)
    }
  }
  return variants
}

function checkVariants(variants: readonly ImportedVariant[]): Fault | undefined {
  if (variants.length === 0) {
    return fault('NO_VALID_VARIANT', 'The product has no valid variant.', shopifyColumns.price)
  }
  if (variants.length > importLimits.variants) {
    return tooMany('variants', importLimits.variants, shopifyColumns.option1Value)
  }
  const values = new Set<string>()
  const skus = new Set<string>()
  for (const { sku, title, optionValues } of variants) {
    const key = JSON.stringify(optionValues).toLowerCase()
    if (values.has(key)) {
      const reason = `Two variants have the same option values: ${title}.`
      return fault('DUPLICATE_OPTION_VALUES', reason, shopifyColumns.option1Value)
    }
    if (skus.has(sku)) return duplicateSku(sku)
    values.add(key)
    skus.add(sku)
  }
  return undefined
}

/** Images by their position, then in the order of the rows; images of variants come last. */
function readImages(group: Group, rejections: Rejections): ImportedImage[] | Fault {
  const images = new Map<string, ImportedImage & { position: number }>()
  const add = ({ line, cells }: ShopifyRow, url: string, position: number) => {
    const image = parseImage(url, position === last ? '' : cells.imageAlt)
    const isImageRow = !isVariantRow(cells)
    if (isFault(image)) {
      rejections.add(line, image, isImageRow ? 1 : 0)
      if (isImageRow) group.lost += 1
    } else if (!images.has(image.url)) {
      images.set(image.url, { ...image, position })
    }
  }
  for (const row of group.rows) {
    const url = row.cells.imageUrl.trim()
    const position = /^\d{1,6}$/.test(row.cells.imagePosition.trim())
      ? Number(row.cells.imagePosition)
      : last - 1
    if (url !== '') add(row, url, position)
    else if (!isVariantRow(row.cells)) {
      const reason = 'The row has neither a variant nor an image.'
      rejections.add(row.line, { code: 'ROW_EMPTY', reason })
      group.lost += 1
    }
  }
  for (const row of group.rows) {
    const url = row.cells.variantImageUrl.trim()
    if (url !== '' && isVariantRow(row.cells)) add(row, url, last)
  }
  if (images.size > importLimits.images) {
    return tooMany('images', importLimits.images, shopifyColumns.imageUrl)
  }
  const sorted = [...images.values()].toSorted((a, b) => a.position - b.position)
  return sorted.map(({ url, alt }) => ({ url, alt }))
}

const last = 1_000_000
