import { AppError } from '@halles/kit/errors'
import type { Money } from '@halles/kit/money'
import {
  findVariant,
  newProduct,
  type ProductPatch,
  patchProduct,
  priceVariant,
  removeProduct,
  stockVariant,
} from '../domain/edit.ts'
import {
  checkVersion,
  decideChange,
  type Product,
  productNotFound,
  type Stamp,
  variantNotFound,
} from '../domain/product.ts'
import { categoryKey, searchWords } from '../domain/search.ts'
import { replaceVariants, type VariantEdit } from '../domain/variants.ts'
import type { Deps, ListProducts, NewProduct } from '../ports.ts'

type Editing = Pick<Deps, 'products' | 'catalogue' | 'clock' | 'newId'>

/** Who edits, and the version that they have read, if they say so. */
export type Edit = { by: string; expectedVersion: number | undefined }

export type Search = Pick<ListProducts, 'limit' | 'sort' | 'after'> & {
  text: string | undefined
  category: string | undefined
}

export async function listProducts({ catalogue }: Pick<Deps, 'catalogue'>, search: Search) {
  const { text, category, ...page } = search
  return catalogue.list({
    ...page,
    words: text === undefined ? [] : searchWords(text),
    categoryKey: category === undefined ? undefined : categoryKey(category),
  })
}

export async function getProduct({ catalogue }: Pick<Deps, 'catalogue'>, idOrSlug: string) {
  const found = await catalogue.find(idOrSlug)
  if (!found) throw productNotFound()
  return found
}

export async function createProduct(deps: Editing, input: NewProduct, by: string) {
  const stamp = stampOf(deps)
  const product = newProduct(input, stamp)
  try {
    return await create(deps, product, { by, stamp })
  } catch (error) {
    const isTaken = error instanceof AppError && error.code === 'SLUG_TAKEN'
    if (!isTaken || input.slug !== undefined) throw error
    // The slug was ours to choose: the id's random end makes it another one.
    const slug = `${product.slug.slice(0, 71).replace(/-$/, '')}-${product.id.slice(-8)}`
    return create(deps, { ...product, slug }, { by, stamp })
  }
}

async function create(
  { products }: Pick<Deps, 'products'>,
  product: Product,
  { by, stamp }: { by: string; stamp: Stamp },
): Promise<Product> {
  const change = decideChange(undefined, product, stamp)
  if (!change) return product
  await products.create(change, { by })
  return change.after
}

export async function updateProduct(
  deps: Editing,
  productId: string,
  patch: ProductPatch,
  edit: Edit,
) {
  return change(deps, productId, edit, (product) => patchProduct(product, patch))
}

export async function editVariants(
  deps: Editing,
  productId: string,
  wanted: { options: string[]; variants: VariantEdit[] },
  edit: Edit,
) {
  return change(deps, productId, edit, (product) => replaceVariants(product, wanted, stampOf(deps)))
}

export async function dropProduct(deps: Editing, productId: string, edit: Edit) {
  await change(deps, productId, edit, removeProduct)
}

export async function setPrice(deps: Editing, variantId: string, price: Money, edit: Edit) {
  const { id } = await ownerOf(deps, variantId)
  return change(deps, id, edit, (product) => priceVariant(product, variantId, price))
}

export async function setStock(
  deps: Editing,
  variantId: string,
  { onHand, seen, by }: { onHand: number; seen: number | undefined; by: string },
) {
  const { id } = await ownerOf(deps, variantId)
  // Orders change the stock, and not the product's version, while it is sold.
  const edit = { by, expectedVersion: undefined }
  const product = await change(deps, id, edit, (known) =>
    stockVariant(known, variantId, { onHand, seen }),
  )
  return { variant: findVariant(product, variantId), version: product.version }
}

export async function getStock(deps: Pick<Deps, 'catalogue'>, variantId: string) {
  const product = await ownerOf(deps, variantId)
  return { variant: findVariant(product, variantId), version: product.version }
}

async function ownerOf({ catalogue }: Pick<Deps, 'catalogue'>, variantId: string) {
  const product = await catalogue.findByVariant(variantId)
  if (!product) throw variantNotFound()
  return product
}

async function change(
  deps: Editing,
  productId: string,
  { by, expectedVersion }: Edit,
  toWanted: (product: Product) => Product,
): Promise<Product> {
  const stamp = stampOf(deps)
  return deps.products.change(productId, { by }, (product) => {
    const wanted = toWanted(product)
    checkVersion(product, expectedVersion)
    return decideChange(product, wanted, stamp)
  })
}

function stampOf({ clock, newId }: Pick<Deps, 'clock' | 'newId'>): Stamp {
  return { at: clock(), newId }
}
