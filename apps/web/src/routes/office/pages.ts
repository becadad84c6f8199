import { index, layout, type RouteConfigEntry, route } from '@react-router/dev/routes'

const at = (path: string, file: string) => route(path, `routes/office/${file}`)

/** The pages of the office; inside the boundary, so that one that refuses keeps the navigation. */
export const officePages: RouteConfigEntry[] = [
  layout('routes/office/boundary.tsx', [
    index('routes/office/dashboard.tsx'),
    at('products', 'products.tsx'),
    at('products/new', 'new-product.tsx'),
    at('products/:productId', 'product.tsx'),
    at('products/:productId/stock', 'product-stock.tsx'),
    at('products/:productId/variants', 'product-variants.tsx'),
    at('products/:productId/images', 'product-images.tsx'),
    at('prices', 'prices.tsx'),
    at('imports', 'imports.tsx'),
    at('imports/:importId', 'import.tsx'),
    at('orders', 'orders.tsx'),
    at('orders/:orderId', 'order.tsx'),
    at('customers', 'customers.tsx'),
    at('customers/:customerId', 'customer.tsx'),
    at('roles', 'roles.tsx'),
    at('staff', 'staff.tsx'),
    at('staff/:subjectId', 'staff-member.tsx'),
    at('audit', 'audit.tsx'),
    route('*', 'routes/not-found.ts', { id: 'office/not-found' }),
  ]),
]
