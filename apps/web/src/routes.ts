import { index, type RouteConfig, route } from '@react-router/dev/routes'

export default [
  // English has no prefix; the layout knows the other languages and refuses the rest.
  route(':language?', 'routes/shop/layout.tsx', [
    index('routes/shop/home.tsx'),
    route('search', 'routes/shop/search.tsx'),
    route('stalls/:stall', 'routes/shop/stall.tsx'),
    route('products/:slug', 'routes/shop/product.tsx'),
    route('cart', 'routes/shop/cart.tsx'),
    route('sign-in', 'routes/shop/sign-in.tsx'),
    route('sign-up', 'routes/shop/sign-up.tsx'),
    route('sign-out', 'routes/shop/sign-out.ts'),
    route('account', 'routes/shop/account.tsx'),
    route('*', 'routes/shop/not-found.ts'),
  ]),
  route('office', 'routes/office/layout.tsx', [
    index('routes/office/home.ts'),
    route('products', 'routes/office/products.tsx'),
  ]),
  route('console', 'routes/console/layout.tsx', [index('routes/console/overview.tsx')]),
  route('language', 'routes/language.ts'),
] satisfies RouteConfig
