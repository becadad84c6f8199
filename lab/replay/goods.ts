import { setTimeout as delay } from 'node:timers/promises'
import type { Import, ProductPage, Stock } from '@halles/contracts/gen/http/products'
import type { Client } from './client.ts'
import { toCsvLine } from './csv.ts'
import { inParallel } from './in-parallel.ts'
import type { People } from './people.ts'
import type { Plan } from './plan.ts'

export type Goods = {
  variantOf(sku: string): string
  setPrice(sku: string, unitMinor: number): Promise<void>
  /** Pieces on hand by stock code. */
  stock(skus: readonly string[]): Promise<Map<string, number>>
}

const header = ['InvoiceNo', 'StockCode', 'Description', 'Quantity', 'UnitPrice']
const importLimitMs = 300_000
const pollMs = 200
const pageSize = 100
const stockReaders = 8

/** Brings the plan's goods into the shop by its own import, at their first price. */
export async function importGoods(
  plan: Pick<Plan, 'goods' | 'stock'>,
  { client, people, currency }: { client: Client; people: People; currency: string },
): Promise<Goods> {
  const rows = plan.goods.map(({ sku, title, unitMinor }) => [
    'goods',
    sku,
    title,
    1,
    (unitMinor / 100).toFixed(2),
  ])
  const csv = [header, ...rows].map(toCsvLine).join('')
  await runImport(client, people, { csv, quantity: plan.stock })
  const variants = await findVariants(client, new Set(plan.goods.map(({ sku }) => sku)))

  function variantOf(sku: string): string {
    const id = variants.get(sku)
    if (id === undefined) throw new Error(`The shop has no ${sku}.`)
    return id
  }

  return {
    variantOf,
    async setPrice(sku, amountMinor) {
      await client.tell({
        method: 'PUT',
        path: `/variants/${variantOf(sku)}/price`,
        body: { amountMinor, currency },
        token: await people.admin(),
      })
    },
    async stock(skus) {
      const stock = new Map<string, number>()
      await inParallel(stockReaders, skus, async (sku) => {
        const path = `/variants/${variantOf(sku)}/stock`
        const token = await people.admin()
        const { quantity } = await client.ask<Stock>({ method: 'GET', path, token })
        stock.set(sku, quantity)
      })
      return stock
    },
  }
}

async function runImport(
  client: Client,
  people: People,
  { csv, quantity }: { csv: string; quantity: number },
): Promise<void> {
  const endsAtMs = performance.now() + importLimitMs
  const path = '/products/imports'
  const query = `?quantity=${quantity}`
  const { id } = await client.ask<Import>({
    method: 'POST',
    path: `${path}${query}`,
    csv,
    token: await people.admin(),
  })
  for (;;) {
    const token = await people.admin()
    const state = await client.ask<Import>({ method: 'GET', path: `${path}/${id}`, token })
    if (state.status !== 'running') {
      if (state.status === 'finished' && state.rejectedTotal === 0) return
      const [rejected] = state.rejected
      throw new Error(`The goods could not be imported: ${state.problem ?? rejected?.reason}`)
    }
    if (performance.now() > endsAtMs) throw new Error('The import of the goods takes too long.')
    await delay(pollMs)
  }
}

/** By stock code. The catalogue is read page by page until all are found. */
async function findVariants(client: Client, wanted: ReadonlySet<string>) {
  const found = new Map<string, string>()
  let cursor: string | null = null
  do {
    const query: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`
    const path = `/products?limit=${pageSize}${query}`
    const page: ProductPage = await client.ask({ method: 'GET', path })
    for (const { id, sku } of page.items.flatMap(({ variants }) => variants)) {
      if (wanted.has(sku)) found.set(sku, id)
    }
    cursor = page.nextCursor
  } while (cursor !== null && found.size < wanted.size)
  return found
}
