import type {
  CatalogueEntry,
  Product as ProductDocument,
  ProductSummary,
  StaffProduct,
  StaffVariant,
  Variant as VariantDocument,
} from '@halles/contracts/gen/http/products'
import { availabilityOfProduct, type Product, priceFrom, type Variant } from './product.ts'

/** A product as its own page shows it; kept as ready JSON beside it. */
export function toDocument(product: Product): ProductDocument {
  const { createdAt, updatedAt, status, variants, ...facts } = product
  return {
    id: facts.id,
    slug: facts.slug,
    title: facts.title,
    descriptionHtml: facts.descriptionHtml,
    vendor: facts.vendor,
    category: facts.category,
    tags: facts.tags,
    // Documents of removed products are never served.
    status: status === 'active' ? 'active' : 'draft',
    options: facts.options,
    images: facts.images,
    variants: variants.map(toVariantDocument),
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
    version: facts.version,
  }
}

/** A product as lists show it: enough to put one of its variants into a cart. */
export function toSummary(product: Product): ProductSummary {
  return {
    id: product.id,
    slug: product.slug,
    title: product.title,
    category: product.category,
    image: product.images[0] ?? null,
    priceFrom: priceFrom(product),
    availability: availabilityOfProduct(product),
    variants: product.variants.map(toVariantDocument),
    version: product.version,
  }
}

/** A product as the staff see it: whatever its status, with its stock. */
export function toStaffProduct(product: Product): StaffProduct {
  return {
    ...toDocument(product),
    status: product.status,
    variants: product.variants.map(toStaffVariant),
  }
}

/** The same in a list. */
export function toCatalogueEntry(product: Product): CatalogueEntry {
  const { id, slug, title, vendor, category, status, images, version } = product
  return {
    ...{ id, slug, title, vendor, category, status, version },
    image: images[0] ?? null,
    variants: product.variants.map(toStaffVariant),
    updatedAt: product.updatedAt.toISOString(),
  }
}

function toStaffVariant(variant: Variant): StaffVariant {
  const { onHand: quantity, reserved } = variant
  return { ...toVariantDocument(variant), quantity, reserved, available: quantity - reserved }
}

function toVariantDocument(variant: Variant): VariantDocument {
  const { id, sku, title, optionValues, price, compareAtPrice, availability } = variant
  return { id, sku, title, optionValues, price, compareAtPrice, availability }
}
