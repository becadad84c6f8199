import type { Money } from '@halles/kit/money'
import { parsePrice } from './amounts.ts'
import {
  defaultVariantTitle,
  type ImportedImage,
  type ImportedVariant,
  importLimits,
} from './imported-product.ts'
import { type Fault, isFault } from './rejections.ts'
import { cleanLine, shortHash, slugify } from './text.ts'

/** The columns that are read, as Shopify names them. */
export const shopifyColumns = {
  handle: 'Handle',
  title: 'Title',
  body: 'Body (HTML)',
  vendor: 'Vendor',
  productCategory: 'Product Category',
  type: 'Type',
  tags: 'Tags',
  published: 'Published',
  status: 'Status',
  option1Name: 'Option1 Name',
  option1Value: 'Option1 Value',
  option2Name: 'Option2 Name',
  option2Value: 'Option2 Value',
  option3Name: 'Option3 Name',
  option3Value: 'Option3 Value',
  sku: 'Variant SKU',
  grams: 'Variant Grams',
  quantity: 'Variant Inventory Qty',
  price: 'Variant Price',
  compareAtPrice: 'Variant Compare At Price',
  imageUrl: 'Image Src',
  imagePosition: 'Image Position',
  imageAlt: 'Image Alt Text',
  giftCard: 'Gift Card',
  variantImageUrl: 'Variant Image',
} as const

export type ShopifyCells = Record<keyof typeof shopifyColumns, string>
export type ShopifyRow = { line: number; cells: ShopifyCells }

/** What a file does not say: the currency of its prices, and the stock where it has no quantity. */
export type ShopifySettings = { currency: string; stock: number }

export function optionNamesOf(cells: ShopifyCells): string[] {
  return [cells.option1Name, cells.option2Name, cells.option3Name].map(cleanLine)
}

function optionValuesOf(cells: ShopifyCells): string[] {
  return [cells.option1Value, cells.option2Value, cells.option3Value].map(cleanLine)
}

export function isVariantRow(cells: ShopifyCells): boolean {
  return [cells.price, cells.sku, ...optionValuesOf(cells)].some((cell) => cell.trim() !== '')
}

/** Shopify writes a product without options as one option `Title` with the value `Default Title`. */
export function isDefaultOption(names: readonly string[], cells: ShopifyCells): boolean {
  const [name, ...others] = names
  const isUnnamed = others.every((other) => other === '')
  return isUnnamed && name === 'Title' && cells.option1Value.trim() === 'Default Title'
}

/** Reads the variant of a row; `options` are the product's option names, none for a plain product. */
export function parseVariant(
  { cells }: ShopifyRow,
  options: readonly string[],
  { currency, stock, slug }: ShopifySettings & { slug: string },
): ImportedVariant | Fault {
  const optionValues = parseOptionValues(cells, options)
  if (isFault(optionValues)) return optionValues
  const price = parsePrice(cells.price.trim(), currency, shopifyColumns.price)
  if (isFault(price)) return price
  const compareAtPrice = parseCompareAtPrice(cells.compareAtPrice.trim(), price)
  if (compareAtPrice && isFault(compareAtPrice)) return compareAtPrice
  const quantity = parseQuantity(cells.quantity.trim(), stock)
  if (typeof quantity === 'object') return quantity
  const weightGrams = parseGrams(cells.grams.trim())
  if (typeof weightGrams === 'object' && weightGrams) return weightGrams
  const sku = parseSku(cells.sku) || deriveSku(slug, optionValues)
  if (sku.length > importLimits.sku) {
    const reason = `The SKU is longer than ${importLimits.sku} characters.`
    return { code: 'TOO_LONG', reason, field: shopifyColumns.sku }
  }
  const title = optionValues.join(' / ') || defaultVariantTitle
  return { sku, title, optionValues, price, compareAtPrice, stock: quantity, weightGrams }
}

function parseOptionValues(cells: ShopifyCells, options: readonly string[]): string[] | Fault {
  const given = optionValuesOf(cells)
  if (options.length === 0 && given[0] === 'Default Title') return []
  for (const [index, value] of given.entries()) {
    const name = options[index]
    const field = `Option${index + 1} Value`
    if (name === undefined && value !== '') {
      const reason = `The product has no option ${index + 1}, but this row gives it a value.`
      return { code: 'OPTION_MISMATCH', reason, field }
    }
    if (name !== undefined && value === '') {
      return { code: 'OPTION_MISMATCH', reason: `The value of ${name} is missing.`, field }
    }
    if (value.length > importLimits.optionValue) {
      const reason = `An option value is longer than ${importLimits.optionValue} characters.`
      return { code: 'TOO_LONG', reason, field }
    }
  }
  return given.slice(0, options.length)
}

/** A former price that is not above the present one is no reduction, so it is left out. */
function parseCompareAtPrice(text: string, price: Money): Money | null | Fault {
  if (text === '') return null
  const former = parsePrice(text, price.currency, shopifyColumns.compareAtPrice)
  if (isFault(former)) return former.code === 'PRICE_ZERO' ? null : former
  return former.amountMinor > price.amountMinor ? former : null
}

/** Shopify lets stock fall below zero when overselling is allowed; there is none to sell then. */
function parseQuantity(text: string, stock: number): number | Fault {
  if (text === '') return stock
  const quantity = /^-?\d{1,9}$/.test(text) ? Number(text) : Number.POSITIVE_INFINITY
  if (quantity > importLimits.stock) {
    const reason = `The quantity is not a whole number up to ${importLimits.stock}.`
    return { code: 'QUANTITY_MALFORMED', reason, field: shopifyColumns.quantity }
  }
  return Math.max(0, quantity)
}

/** Shopify writes 0 for a weight that nobody entered. */
function parseGrams(text: string): number | null | Fault {
  if (text === '') return null
  const grams = /^\d{1,9}(\.\d{1,20})?$/.test(text) ? Math.round(Number(text)) : Number.NaN
  if (!(grams <= importLimits.weightGrams)) {
    const reason = `The weight is not a number of grams up to ${importLimits.weightGrams}.`
    return { code: 'WEIGHT_MALFORMED', reason, field: shopifyColumns.grams }
  }
  return grams === 0 ? null : grams
}

/** Exports protect leading zeros from spreadsheets by an apostrophe that is not part of the SKU. */
function parseSku(text: string): string {
  return cleanLine(text).replace(/^'/, '')
}

/**
 * The SKU of a variant that has none: slug and option values, the same on every import. A value
 * with letters that a SKU cannot show keeps a hash, so that 红 and 蓝 stay two variants.
 */
export function deriveSku(slug: string, optionValues: readonly string[]): string {
  const parts = optionValues.map((value) => {
    const isPlain = /^[a-z0-9]+(?:[ -][a-z0-9]+)*$/i.test(value)
    const hash = shortHash(value.toLowerCase())
    return isPlain ? slugify(value) : [slugify(value), hash].filter(Boolean).join('-')
  })
  const sku = [slug, ...parts].join('_')
  const cut = importLimits.sku - 9
  return (
    sku.length > importLimits.sku ? `${sku.slice(0, cut)}-${shortHash(sku)}` : sku
  ).toUpperCase()
}

export function parseImage(url: string, alt: string): ImportedImage | Fault {
  const field = shopifyColumns.imageUrl
  const parsed = url.length <= importLimits.url ? URL.parse(url) : null
  if (!parsed || !['http:', 'https:'].includes(parsed.protocol)) {
    const reason = 'The image address is not an http(s) URL.'
    return { code: 'IMAGE_URL_MALFORMED', reason, field }
  }
  return { url: parsed.href, alt: cleanLine(alt).slice(0, importLimits.alt) || null }
}
