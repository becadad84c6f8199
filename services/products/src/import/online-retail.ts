import type { Money } from '@halles/kit/money'
import { parsePrice } from './amounts.ts'
import type { CsvRow } from './csv.ts'
import { defaultVariantTitle, type ImportedProduct, importLimits } from './imported-product.ts'
import { type Fault, isFault, type Rejections } from './rejections.ts'
import { cleanLine, slugify } from './text.ts'

/** The invoice lines of the UCI "Online Retail" data set; customer and country are not read. */
export const onlineRetailHeaders = ['StockCode', 'Description', 'Quantity', 'UnitPrice'] as const

/** The data set's prices are in pounds. */
const currency = 'GBP'

/** A good's code starts with five digits; the rest are postage, fees, samples, vouchers, manual. */
const goodsCode = /^\d{5}[\w-]{0,27}$/

type Goods = { descriptions: Map<string, number>; price: Money; lines: number }
type InvoiceLine = { sku: string; description: string; price: Money }

/**
 * Gathers goods from invoice lines. A product's title is its most frequent description and its
 * price the last one in the file. Stock is not in such a file: every product gets `stock`.
 */
export function createOnlineRetailReader(
  header: readonly string[],
  { stock, rejections }: { stock: number; rejections: Rejections },
) {
  const columns = onlineRetailHeaders.map((name) => header.indexOf(name.toLowerCase()))
  const goods = new Map<string, Goods>()

  function row({ line, fields }: CsvRow): void {
    const [code, description, quantity, price] = columns.map((at) => cleanLine(fields[at] ?? ''))
    const invoiceLine = parseInvoiceLine([code, description, quantity, price])
    if (isFault(invoiceLine)) {
      rejections.add(line, invoiceLine)
      return
    }
    const known = goods.get(invoiceLine.sku) ?? newGoods(invoiceLine.price)
    const seen = known.descriptions.get(invoiceLine.description) ?? 0
    known.descriptions.set(invoiceLine.description, seen + 1)
    known.price = invoiceLine.price
    known.lines += 1
    goods.set(invoiceLine.sku, known)
  }

  async function finish() {
    const all = [...goods]
    return {
      products: all.map(([sku, known]) => toProduct(sku, known, stock)),
      acceptedLines: all.reduce((sum, [, known]) => sum + known.lines, 0),
    }
  }
  return { row, finish }
}

function newGoods(price: Money): Goods {
  return { descriptions: new Map(), price, lines: 0 }
}

function parseInvoiceLine(cells: (string | undefined)[]): InvoiceLine | Fault {
  const [code = '', description = '', quantity = '', unitPrice = ''] = cells
  if (!goodsCode.test(code)) {
    const reason = `${code.slice(0, 40) || 'A blank'} is not a good's code, which starts with five digits.`
    return { code: 'NOT_GOODS', reason, field: 'StockCode' }
  }
  if (!/^-?\d{1,9}$/.test(quantity)) {
    const reason = 'The quantity is not a whole number.'
    return { code: 'QUANTITY_MALFORMED', reason, field: 'Quantity' }
  }
  if (quantity.startsWith('-')) {
    const reason = 'The quantity is negative: a return, a cancellation or a write-off.'
    return { code: 'QUANTITY_NEGATIVE', reason, field: 'Quantity' }
  }
  if (description === '') {
    return {
      code: 'DESCRIPTION_MISSING',
      reason: 'The description is blank.',
      field: 'Description',
    }
  }
  if (description.length > importLimits.title) {
    const reason = `The description is longer than ${importLimits.title} characters.`
    return { code: 'TOO_LONG', reason, field: 'Description' }
  }
  const price = parsePrice(unitPrice, currency, 'UnitPrice')
  return isFault(price) ? price : { sku: code.toUpperCase(), description, price }
}

function toProduct(sku: string, { descriptions, price }: Goods, stock: number): ImportedProduct {
  let description = ''
  let most = 0
  for (const [candidate, count] of descriptions) {
    if (count > most) [description, most] = [candidate, count]
  }
  const title = toTitleCase(description.replace(/[\s.,]+$/, '') || description)
  const code = slugify(sku)
  const name = slugify(title, importLimits.slug - code.length - 1)
  return {
    slug: name === '' ? code : `${name}-${code}`,
    title,
    descriptionHtml: '',
    vendor: null,
    category: 'Giftware',
    tags: [],
    status: 'active',
    options: [],
    images: [],
    variants: [
      {
        sku,
        title: defaultVariantTitle,
        optionValues: [],
        price,
        compareAtPrice: null,
        stock,
        weightGrams: null,
      },
    ],
  }
}

const minorWords = new Set('a an and as at by for from in of on or the to with'.split(' '))
const initialisms = new Set(['UK', 'USA', 'LED', 'CD', 'DVD', 'TV', 'XL', 'II', 'III', 'IV', 'DIY'])

/** `WHITE HANGING HEART` becomes `White Hanging Heart`; what is mixed already stays as it is. */
export function toTitleCase(text: string): string {
  if (text !== text.toUpperCase()) return text.charAt(0).toUpperCase() + text.slice(1)
  return text.replace(/[\p{L}\d]+(?:['’]\p{L}+)?/gu, (word, at: number) => {
    if (initialisms.has(word) || /^\d/.test(word)) return word
    const lower = word.toLowerCase()
    if (at > 0 && minorWords.has(lower)) return lower
    return lower.charAt(0).toUpperCase() + lower.slice(1)
  })
}
