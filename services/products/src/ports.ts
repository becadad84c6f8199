import type { NewProduct } from './domain/edit.ts'
import type { Rendition } from './domain/images.ts'
import type { Identity, ImportOutcome, Known } from './domain/import.ts'
import type { Priced } from './domain/price-change.ts'
import type { Change, Product, Stamp } from './domain/product.ts'
import type { Line, Quote } from './domain/reservations.ts'
import type { ImportedProduct } from './import/imported-product.ts'
import type { ParsedCatalogue } from './import/parse.ts'

export type Sort = 'newest' | 'title' | 'price' | '-price'

/** The last keys of a page: where the next one begins. */
export type Position = { key: string | number; id: string }

export type ListProducts = {
  limit: number
  sort: Sort
  words: readonly string[]
  categoryKey: string | undefined
  after: Position | undefined
}

/** A page as ready JSON. */
export type Page = {
  /** Summaries joined by commas. */
  items: string
  ids: readonly string[]
  /** Where the next page begins; undefined on the last. */
  next: Position | undefined
}

export type Catalogue = {
  list(query: ListProducts): Promise<Page>
  /** The ready document of an active product. */
  find(idOrSlug: string): Promise<{ id: string; version: number; document: string } | undefined>
  /** The product, whatever its status, that has the variant. */
  findByVariant(variantId: string): Promise<Product | undefined>
}

export type CatalogueSort = 'newest' | 'title' | 'updated'

export type ListCatalogue = Omit<ListProducts, 'sort'> & {
  sort: CatalogueSort
  status: Product['status'] | undefined
  /** Only products of which a variant has no more than that. */
  maxAvailable: number | undefined
}

export type PastPrice = {
  id: number
  at: Date
  by: string
  fromMinor: number
  toMinor: number
  currency: string
}

/** What the staff see of the catalogue, whatever the status. */
export type StaffCatalogue = {
  list(query: ListCatalogue): Promise<{ items: Product[]; next: Position | undefined }>
  find(productId: string): Promise<Product | undefined>
  /** The last change first. */
  priceHistory(query: {
    variantId: string
    before: number | undefined
    limit: number
  }): Promise<PastPrice[]>
  /** Variants of products that were not removed, by ids or by search. */
  selectPriced(
    selection: {
      variantIds: readonly string[] | undefined
      words: readonly string[]
      categoryKey: string | undefined
    },
    limit: number,
  ): Promise<Priced[]>
}

export type ImageStore = {
  /** A WebP no wider than that; of a narrower image what there is. */
  find(imageId: string, width: number): Promise<Buffer | undefined>
}

/**
 * Reads an image that somebody sent and makes smaller ones of it, widest last.
 * @throws unprocessable `IMAGE_NOT_USABLE`; too-many `IMAGES_BUSY`.
 */
export type ResizeImage = (content: Buffer) => Promise<Rendition[]>

/** Whose change it is, for the price history. */
export type Author = { by: string }

export type ProductStore = {
  /** Throws `SLUG_TAKEN` or `SKU_TAKEN`, naming the field. */
  create(change: Change, author: Author): Promise<void>
  /**
   * Locks the product, decides, saves it with its messages in one transaction; undefined leaves
   * everything as it is. Throws `PRODUCT_NOT_FOUND`, `SLUG_TAKEN`.
   */
  change(
    productId: string,
    author: Author,
    decide: (product: Product) => Change | undefined,
  ): Promise<Product>
  /** The same for several products together; what is not changed is left out of the decision. */
  changeAll(
    productIds: readonly string[],
    author: Author,
    decide: (products: readonly Product[]) => readonly Change[],
  ): Promise<void>
}

export type ReservationRequest = {
  reservationId: string
  lines: readonly Line[]
  ttlSeconds: number
}

export type ReservationStore = {
  /**
   * Throws what the domain's `reserve` and `checkRepeated` throw. A repetition holds for its time to
   * live from now, when that is longer.
   */
  reserve(request: ReservationRequest, stamp: Stamp): Promise<Quote[]>
  release(reservationId: string, stamp: Stamp): Promise<void>
  /** Releases at most `limit` reservations that have expired; returns how many. */
  releaseExpired(limit: number, stamp: Stamp): Promise<number>
  /** Once per message. Returns how many pieces were missing. */
  sell(order: PaidOrder, stamp: Stamp): Promise<number>
  /** Once per message. */
  cancel(order: Pick<PaidOrder, 'messageId' | 'orderId'>, stamp: Stamp): Promise<void>
  /** Once per message: pieces of an order that was paid come back to the stock. */
  takeBack(order: PaidOrder, stamp: Stamp): Promise<void>
}

export type PaidOrder = { messageId: string; orderId: string; lines: readonly Line[] }

export type Import = {
  id: string
  status: 'running' | 'finished' | 'failed'
  format: string | null
  total: number
  done: number
  created: number
  updated: number
  unchanged: number
  rejectedTotal: number
  rejectedByReason: Record<string, number>
  rejected: { line: number; reason: string }[]
  problem: string | null
  createdAt: Date
}

export type NewImport = {
  id: string
  content: string
  currency: string
  quantity: number
  createdBy: string
  createdAt: Date
}

/** An import that this worker holds until its lease runs out. */
export type ClaimedImport = {
  id: string
  claim: string
  content: string
  currency: string
  quantity: number
  isRead: boolean
  done: number
}

export type ImportBatch = {
  products: readonly ImportedProduct[]
  plan: (product: ImportedProduct, known: Known) => ImportOutcome
}

export type ImportStore = {
  /** Throws `IMPORTS_BUSY` when too many wait. */
  add(wanted: NewImport): Promise<Import>
  find(id: string): Promise<Import | undefined>
  claim(claimId: string): Promise<ClaimedImport | undefined>
  /** Records what the parser found, once. */
  recordParsed(claimed: ClaimedImport, parsed: ParsedCatalogue): Promise<void>
  /** Applies a batch and its progress in one transaction. Throws when the lease was lost. */
  applyBatch(claimed: ClaimedImport, batch: ImportBatch): Promise<void>
  finish(claimed: ClaimedImport, problem: string | undefined): Promise<void>
  /** Lets another worker go on at once. */
  giveBack(claimed: ClaimedImport): Promise<void>
  /** Applies the batch unless there is a product already; false when there is. */
  seed(batch: ImportBatch): Promise<boolean>
}

export type CatalogueParser = (
  content: string,
  options: { currency: string; stock: number },
) => Promise<ParsedCatalogue>

export type Deps = {
  catalogue: Catalogue
  staffCatalogue: StaffCatalogue
  images: ImageStore
  resizeImage: ResizeImage
  products: ProductStore
  reservations: ReservationStore
  imports: ImportStore
  parse: CatalogueParser
  clock: () => Date
  newId: () => string
}

export type { Identity, NewProduct }
