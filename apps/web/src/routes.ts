import {
  index,
  layout,
  type RouteConfig,
  type RouteConfigEntry,
  route,
} from '@react-router/dev/routes'
import type { Language } from './text/language.ts'

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
    at('account', 'account.tsx'),
    at('*', 'not-found.ts'),
  ]
}

const shopLayout = 'routes/shop/layout.tsx'

export default [
  layout(shopLayout, { id: 'shop/en' }, shopPages('en')),
  route('fr', shopLayout, { id: 'shop/fr' }, shopPages('fr')),
  route('office', 'routes/office/layout.tsx', [
    index('routes/office/home.ts'),
    route('products', 'routes/office/products.tsx'),
  ]),
  route('console', 'routes/console/layout.tsx', [index('routes/console/overview.tsx')]),
  route('language', 'routes/language.ts'),
] satisfies RouteConfig
