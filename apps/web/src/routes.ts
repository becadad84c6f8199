import {
  index,
  layout,
  type RouteConfig,
  type RouteConfigEntry,
  route,
} from '@react-router/dev/routes'
import { officePages } from './routes/office/pages.ts'
import type { Language } from './text/language.ts'

const notFound = 'routes/not-found.ts'

/** The pages of the shop; each language has them all, so each has a name with its language. */
function shopPages(language: Language): RouteConfigEntry[] {
  const at = (path: string, file: string) =>
    route(path, `routes/shop/${file}`, { id: `${language}/${file}` })
  return [
    index('routes/shop/home.tsx', { id: `${language}/home.tsx` }),
    at('search', 'search.tsx'),
    at('stalls/:stall', 'stall.tsx'),
    at('products/:slug', 'product.tsx'),
    at('cart', 'cart.tsx'),
    at('sign-in', 'sign-in.tsx'),
    at('sign-up', 'sign-up.tsx'),
    at('sign-out', 'sign-out.ts'),
    at('checkout', 'checkout.tsx'),
    at('checkout/review', 'checkout-review.tsx'),
    at('checkout/return', 'checkout-return.tsx'),
    at('checkout/cancelled', 'checkout-cancelled.tsx'),
    at('checkout/transfer', 'checkout-transfer.ts'),
    at('orders', 'orders.tsx'),
    at('orders/:orderId', 'order.tsx'),
    at('wishlist', 'wishlist.tsx'),
    at('account', 'account.tsx'),
    at('account/addresses', 'account-addresses.tsx'),
    at('account/security', 'account-security.tsx'),
    at('account/data', 'account-data.tsx'),
    at('account/export', 'account-export.ts'),
    at('erased', 'erased.tsx'),
    route('*', notFound, { id: `${language}/not-found` }),
  ]
}

const shopLayout = 'routes/shop/layout.tsx'

export default [
  layout(shopLayout, { id: 'shop/en' }, shopPages('en')),
  route('fr', shopLayout, { id: 'shop/fr' }, shopPages('fr')),
  route('office', 'routes/office/layout.tsx', officePages),
  route('console', 'routes/console/layout.tsx', [
    // Inside the boundary, so that a page that fails keeps the navigation.
    layout('routes/console/boundary.tsx', [
      index('routes/console/overview.tsx'),
      route('parts/:part', 'routes/console/part.ts'),
      route('dead-letters', 'routes/console/dead-letters.tsx'),
      route('dead-letters/:deadLetterId', 'routes/console/dead-letter.tsx'),
      route('provider-events', 'routes/console/provider-events.tsx'),
      route('findings', 'routes/console/findings.tsx'),
      route('unfinished', 'routes/console/unfinished.tsx'),
      route('replicas', 'routes/console/replicas.tsx'),
      route('*', notFound, { id: 'console/not-found' }),
    ]),
  ]),
  route('language', 'routes/language.ts'),
  route('sitemap.xml', 'routes/shop/sitemap.ts'),
  route('robots.txt', 'routes/shop/robots.ts'),
] satisfies RouteConfig
