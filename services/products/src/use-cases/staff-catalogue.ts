import { type Product, productNotFound, variantNotFound } from '../domain/product.ts'
import { categoryKey, searchWords } from '../domain/search.ts'
import type { Deps, ListCatalogue } from '../ports.ts'

export type SearchCatalogue = Omit<ListCatalogue, 'words' | 'categoryKey'> & {
  text: string | undefined
  category: string | undefined
}

export async function listCatalogue(
  { staffCatalogue }: Pick<Deps, 'staffCatalogue'>,
  { text, category, ...page }: SearchCatalogue,
) {
  return staffCatalogue.list({
    ...page,
    words: text === undefined ? [] : searchWords(text),
    categoryKey: category === undefined ? undefined : categoryKey(category),
  })
}

/** A product of any status. @throws not-found `PRODUCT_NOT_FOUND`. */
export async function readProduct(
  { staffCatalogue }: Pick<Deps, 'staffCatalogue'>,
  productId: string,
): Promise<Product> {
  const product = await staffCatalogue.find(productId)
  if (!product) throw productNotFound()
  return product
}

/** One page of past prices, the last change first. @throws not-found `VARIANT_NOT_FOUND`. */
export async function readPriceHistory(
  { catalogue, staffCatalogue }: Pick<Deps, 'catalogue' | 'staffCatalogue'>,
  query: { variantId: string; before: number | undefined; limit: number },
) {
  if (!(await catalogue.findByVariant(query.variantId))) throw variantNotFound()
  // One more than asked for tells whether there is another page.
  const found = await staffCatalogue.priceHistory({ ...query, limit: query.limit + 1 })
  const items = found.slice(0, query.limit)
  return { items, nextId: found.length > query.limit ? items.at(-1)?.id : undefined }
}
