import { AppError } from '@halles/kit/errors'
import { eventually } from '@halles/kit/testing'

export type PageToMeasure = { name: string; path: string; isPromised: boolean }

// A shop that has just opened imports its catalogue, and its menu of stalls may be a minute old.
const catalogueArrives = { limitMs: 90_000, intervalMs: 1_000 }
const answerLimitMs = 15_000

async function ask(url: string): Promise<string> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(answerLimitMs) })
  const text = await answer.text()
  if (answer.ok) return text
  throw new AppError('unavailable', 'NO_SHOP_THERE', `${url} answers ${answer.status}.`)
}

/** The first by name of the addresses of this kind that a page leads to. */
async function firstLink(page: string, kind: 'stalls' | 'products'): Promise<string> {
  const links = (await ask(page)).matchAll(new RegExp(`href="(/${kind}/[^"?#]+)"`, 'g'))
  const [first] = [...links].map(([, path = '']) => path).sort()
  if (first !== undefined) return first
  throw new AppError('unavailable', 'NO_SHOP_THERE', `${page} shows no ${kind}.`)
}

/** The pages of a running shop: its first stall and the first product of that stand for all. */
export async function findPages(shop: string): Promise<PageToMeasure[]> {
  const stall = await eventually(() => firstLink(`${shop}/`, 'stalls'), catalogueArrives)
  const product = await firstLink(shop + stall, 'products')
  return [
    { name: 'home', path: '/', isPromised: true },
    { name: 'category', path: stall, isPromised: true },
    { name: 'product', path: product, isPromised: true },
    { name: 'search', path: '/search', isPromised: false },
    { name: 'cart', path: '/cart', isPromised: false },
  ]
}

// A cold process compiles while it answers; after so many it no longer does.
const warmUpVisits = 20

/** Visits a page as often as it takes to be measured like one that is in use. */
export async function warmUp(url: string): Promise<void> {
  for (let visit = 0; visit < warmUpVisits; visit += 1) await ask(url)
}
