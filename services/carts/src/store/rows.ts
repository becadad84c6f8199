import { sql } from '@halles/kit/database'
import type { Cart } from '../domain.ts'

/** A row whose lines PostgreSQL has already shaped as the domain's. */
export type CartRow = Cart

/** Columns of a line `l` joined with its variant `v`, for {@link linesJson}. */
export const lineColumns = `l.place, l.variant_id, l.quantity, l.added_amount_minor,
  l.added_currency, v.product_id, v.product_title, v.variant_title, v.amount_minor, v.currency,
  case when v.status = 'sellable' then v.availability else 'out_of_stock' end as availability`

/** The domain's lines as one JSON value, from a relation with {@link lineColumns}. */
export function linesJson(relation: string): string {
  return `coalesce((select json_agg(json_build_object(
      'variantId', variant_id, 'productId', product_id, 'title', product_title,
      'variantTitle', variant_title, 'quantity', quantity,
      'unitPrice', json_build_object('amountMinor', amount_minor, 'currency', currency),
      'unitPriceWhenAdded',
        json_build_object('amountMinor', added_amount_minor, 'currency', added_currency),
      'availability', availability) order by place)
    from ${relation} as shown), '[]'::json)`
}

const cartColumns = `c.id, c.customer_id as "customerId", c.version,
  ${linesJson(`(select ${lineColumns} from cart_lines as l join replica_variants as v
    using (variant_id) where l.cart_id = c.id)`)} as lines`

export const selectCart = sql(
  'carts.select_cart',
  `select ${cartColumns} from carts as c where c.id = $1 and c.merged_into is null`,
)
export const selectCarts = sql(
  'carts.select_carts',
  `select ${cartColumns} from carts as c where c.id = any($1::uuid[]) and c.merged_into is null`,
)
export const selectCurrent = sql(
  'carts.select_current',
  `select ${cartColumns} from carts as c where c.customer_id = $1`,
)
export const insertCart = sql(
  'carts.insert_cart',
  `insert into carts (id, customer_id, updated_at) values ($1, $2, $3)
   on conflict (customer_id) where customer_id is not null do nothing`,
)
export const lockCart = sql(
  'carts.lock_cart',
  `select customer_id as "customerId", merged_into as "mergedInto"
   from carts where id = $1 for update`,
)
