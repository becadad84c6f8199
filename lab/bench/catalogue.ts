import type { ProductPage } from '@halles/contracts/gen/http/products'
import { eventually } from '@halles/kit/testing'
import type { Shop } from '../../tests/e2e/shop.ts'

export type Catalogue = {
  /** Addresses of products by slug and by id. */
  addresses: string[]
  variantIds: string[]
}

/** More than the gateway's small cache of this run holds, by slug and by id. */
export const productCount = 1_000
const category = 'Stalls of the benchmark'
// Nobody buys so many in a run.
const stock = 900_000

const columns = [
  'Handle',
  'Title',
  'Body (HTML)',
  'Vendor',
  'Type',
  'Tags',
  'Published',
  'Option1 Name',
  'Option1 Value',
  'Variant SKU',
  'Variant Inventory Qty',
  'Variant Price',
  'Image Src',
]

function toCsv(): string {
  const rows = Array.from({ length: productCount }, (_none, index) => {
    const number = String(index + 1).padStart(4, '0')
    const slug = `bench-basket-${number}`
    const text = `<p>Basket ${number} woven of willow by hand. ${'It holds what a market day brings. '.repeat(4)}</p>`
    const image = `https://images.example/${slug}.jpg`
    const price = `${5 + (index % 90)}.${String(index % 100).padStart(2, '0')}`
    const facts = [text, 'Atelier du Carreau', category, '"willow, basket"', 'true']
    return [
      [slug, `Basket ${number}`, ...facts, 'Size', 'Small', `${slug}-s`, stock, price, image],
      [slug, '', '', '', '', '', '', '', 'Large', `${slug}-l`, stock, price, ''],
    ]
      .map((row) => row.join(','))
      .join('\n')
  })
  return [columns.join(','), ...rows].join('\n')
}

/** Fills the shop through its own import. */
export async function fillCatalogue({ api, admin }: Shop): Promise<Catalogue> {
  const token = await admin()
  const { id } = await eventually(() => api.ask('importProducts', { token, body: toCsv() }))
  const report = await eventually(
    async () => {
      const state = await api.ask('getImport', { token, params: { importId: id } })
      return state.status === 'running' ? false : state
    },
    { limitMs: 120_000, intervalMs: 200 },
  )
  if (report.created !== productCount)
    throw new Error(`The import made ${report.created} products of ${productCount}.`)
  const addresses: string[] = []
  const variantIds: string[] = []
  let cursor: string | null = null
  do {
    const query: { category: string; limit: number; cursor?: string } = { category, limit: 100 }
    if (cursor !== null) query.cursor = cursor
    const page: ProductPage = await api.ask('listProducts', { query })
    addresses.push(...page.items.flatMap((product) => [product.slug, product.id]))
    variantIds.push(...page.items.flatMap(({ variants }) => variants.map((each) => each.id)))
    cursor = page.nextCursor
  } while (cursor !== null)
  return { addresses, variantIds }
}

/**
 * The category in another spelling for every number: the same page of the catalogue for products,
 * another key for the gateway's cache.
 */
export function spelling(number: number): string {
  let bits = number
  return category.replaceAll(/[a-z]/gi, (letter) => {
    const isUpper = bits % 2 === 1
    bits = Math.floor(bits / 2)
    return isUpper ? letter.toUpperCase() : letter.toLowerCase()
  })
}
