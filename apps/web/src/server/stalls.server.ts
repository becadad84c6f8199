import type { Page } from './page.server.ts'

/** A category of the catalogue, with a product to picture it by. */
export type Stall = { name: string; slug: string; picture: string }

// The header of every page shows them; a new stall may be seen a minute late.
const freshMs = 60_000
let held: { stalls: readonly Stall[]; atMs: number } | undefined

/** The categories, from the first hundred products: the API has no list of its own. */
export async function listStalls(page: Page): Promise<readonly Stall[]> {
  if (held && Date.now() - held.atMs < freshMs) return held.stalls
  try {
    const query = { limit: 100, sort: 'title' as const }
    const { data } = await page.visit.call('listProducts', { query })
    const stalls = new Map<string, Stall>()
    for (const { category, slug: picture } of data.items) {
      if (category === null || stalls.has(category)) continue
      stalls.set(category, { name: category, slug: toSlug(category), picture })
    }
    const sorted = [...stalls.values()].sort((a, b) => a.name.localeCompare(b.name))
    held = { stalls: sorted, atMs: Date.now() }
  } catch (error) {
    // Pages go on without a menu; what is wrong with the catalogue its own pages tell.
    page.visit.log.warn({ error }, 'The stalls could not be read.')
  }
  return held?.stalls ?? []
}

function toSlug(name: string): string {
  return name
    .normalize('NFD')
    .replaceAll(/\p{M}/gu, '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '')
}
