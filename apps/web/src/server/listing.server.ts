import { type Page, problemOf } from './page.server.ts'

export const sorts = ['newest', 'title', 'price', '-price'] as const
export type Sort = (typeof sorts)[number]

// Whole rows of two, three and four columns.
const perPage = 24

/** A page of the catalogue as the address asks for it. */
export async function readListing(page: Page, fixed: { category?: string } = {}) {
  const { searchParams } = page.url
  const asked = searchParams.get('sort')
  const sort: Sort = sorts.find((each) => each === asked) ?? 'newest'
  const q = (searchParams.get('q') ?? '').trim().slice(0, 100)
  const category = fixed.category ?? (searchParams.get('category') ?? '').trim().slice(0, 100)
  const cursor = searchParams.get('cursor') ?? ''
  const query = {
    limit: perPage,
    sort,
    ...(q === '' ? {} : { q }),
    ...(category === '' ? {} : { category }),
  }
  const call = (more: { cursor?: string }) =>
    page.call('listProducts', { query: { ...query, ...more } })
  try {
    const { data, isStale } = await call(cursor === '' ? {} : { cursor })
    return { q, category, sort, isStale, ...data }
  } catch (error) {
    // A cursor of yesterday's list: begin anew instead of refusing a bookmark.
    if (cursor === '' || problemOf(error)?.status !== 400) throw error
    const { data, isStale } = await call({})
    return { q, category, sort, isStale, ...data }
  }
}
