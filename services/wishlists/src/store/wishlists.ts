import { type Database, sql } from '@halles/kit/database'
import { type Item, wishlistBusy, wishlistFull } from '../domain.ts'
import type { WishlistStore } from '../ports.ts'

const variantColumns = `v.variant_id as "variantId", v.product_id as "productId",
  v.product_title as title, v.variant_title as "variantTitle", v.amount_minor as "amountMinor",
  v.currency,
  case when v.status = 'sellable' then v.availability else 'out_of_stock' end as availability`
const itemColumns = `added_amount_minor as "addedAmountMinor", added_currency as "addedCurrency",
  added_at as "addedAt"`

const selectItems = sql(
  'wishlists.select_items',
  `select ${variantColumns}, ${itemColumns}
   from wishlist_items as i join replica_variants as v using (variant_id)
   where i.customer_id = $1 order by i.place desc limit 200`,
)
// A 201st item breaks the check on the counter, and with it the whole statement.
const putItem = sql(
  'wishlists.put_item',
  `with known as (
    select ${itemColumns} from wishlist_items where customer_id = $1 and variant_id = $2
  ), made as (
    insert into wishlist_items
      (customer_id, variant_id, added_amount_minor, added_currency, added_at)
    select $1, variant_id, amount_minor, currency, $3 from replica_variants
    where variant_id = $2 and status = 'sellable' and not exists (select from known)
    on conflict do nothing
    returning ${itemColumns}
  ), counted as (
    insert into wishlists as w (customer_id, items) select $1, 1 from made
    on conflict (customer_id) do update set items = w.items + 1
  ), item as (
    select * from known union all select * from made
  )
  select ${variantColumns}, item.*, v.status = 'sellable' as "isSellable"
  from replica_variants as v left join item on true where v.variant_id = $2`,
)
const removeItem = sql(
  'wishlists.remove_item',
  `with removed as (
    delete from wishlist_items where customer_id = $1 and variant_id = $2 returning customer_id
  )
  update wishlists as w set items = w.items - 1 from removed
  where w.customer_id = removed.customer_id`,
)

type ItemRow = Omit<Item, 'price' | 'priceWhenAdded' | 'addedAt'> & {
  amountMinor: number
  currency: string
  addedAmountMinor: number
  addedCurrency: string
  addedAt: Date
}
type PutRow = (ItemRow | (Omit<ItemRow, 'addedAt'> & { addedAt: null })) & { isSellable: boolean }

// A try finds nothing only while another request adds or removes the same item at that moment.
const maxTries = 5

function toItem(row: ItemRow): Item {
  const { variantId, productId, title, variantTitle, availability } = row
  return {
    variantId,
    productId,
    title,
    variantTitle,
    price: { amountMinor: row.amountMinor, currency: row.currency },
    priceWhenAdded: { amountMinor: row.addedAmountMinor, currency: row.addedCurrency },
    availability,
    addedAt: row.addedAt.toISOString(),
  }
}

function breaksSize(error: unknown): boolean {
  return error instanceof Error && 'constraint' in error && error.constraint === 'wishlists_size'
}

export function createWishlistStore(database: Database): WishlistStore {
  async function put(values: readonly unknown[]): Promise<PutRow | undefined> {
    try {
      return await database.maybe<PutRow>(putItem, values)
    } catch (error) {
      throw breaksSize(error) ? wishlistFull() : error
    }
  }
  return {
    read: async (customerId) =>
      (await database.query<ItemRow>(selectItems, [customerId])).map(toItem),
    async put({ customerId, variantId }, at) {
      for (let tries = 1; tries <= maxTries; tries += 1) {
        const row = await put([customerId, variantId, at])
        if (row && row.addedAt !== null) return toItem(row as ItemRow)
        if (!row?.isSellable) return undefined
      }
      throw wishlistBusy()
    },
    async remove({ customerId, variantId }) {
      await database.run(removeItem, [customerId, variantId])
    },
  }
}
