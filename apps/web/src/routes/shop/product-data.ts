import type { Product } from '@halles/contracts/gen/http/products'
import { pictureUrl } from '../../pictures/picture-url.ts'

/** The first picture of a product, or the one that we draw. */
export function pictureOf({ images, slug, category }: Product): string {
  return images[0]?.url ?? pictureUrl(slug, category)
}

const availabilities = {
  in_stock: 'InStock',
  low_stock: 'LimitedAvailability',
  out_of_stock: 'OutOfStock',
} as const

/** What search engines show of a product (schema.org, JSON-LD). */
export function describeProduct({ product, url }: { product: Product; url: string }) {
  const { title, descriptionHtml, vendor, variants } = product
  const { origin } = new URL(url)
  return {
    '@context': 'https://schema.org',
    '@type': 'Product',
    name: title,
    url,
    image: [new URL(pictureOf(product), origin).href],
    description: descriptionHtml.replaceAll(/<[^>]*>/g, ' ').trim(),
    ...(vendor === null ? {} : { brand: { '@type': 'Brand', name: vendor } }),
    offers: variants.map(({ sku, title: name, price, availability }) => ({
      '@type': 'Offer',
      sku,
      name,
      url,
      price: toDecimal(price),
      priceCurrency: price.currency,
      availability: `https://schema.org/${availabilities[availability]}`,
    })),
  }
}

function toDecimal({ amountMinor, currency }: { amountMinor: number; currency: string }): string {
  const format = new Intl.NumberFormat('en', { style: 'currency', currency })
  const digits = format.resolvedOptions().maximumFractionDigits ?? 2
  return (amountMinor / 10 ** digits).toFixed(digits)
}
