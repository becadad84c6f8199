import { sql, type Tx } from '@halles/kit/database'
import { recordMessage } from '@halles/kit/inbox'
import { type Cart, cartNotFound, type LineChange, openCart } from '../domain.ts'
import type { CartStore, Purchase } from '../ports.ts'
import { type CartRow, insertCart, lockCart, selectCart, selectCurrent } from './rows.ts'

const lockCurrent = sql(
  'carts.lock_current',
  'select id from carts where customer_id = $1 for update',
)
const writeLines = sql(
  'carts.write_lines',
  `with written as (
    insert into cart_lines (cart_id, variant_id, quantity, added_amount_minor, added_currency)
    select $1, (line->>'variantId')::uuid, (line->>'quantity')::integer,
      (line->'unitPriceWhenAdded'->>'amountMinor')::bigint, line->'unitPriceWhenAdded'->>'currency'
    from jsonb_array_elements($2::jsonb) with ordinality as lines (line, place) order by place
    on conflict (cart_id, variant_id) do update set quantity = excluded.quantity
    returning 1
  )
  update carts set version = version + 1, updated_at = $3
  where id = $1 and exists (select from written)`,
)
const retireCart = sql(
  'carts.retire_cart',
  `with emptied as (delete from cart_lines where cart_id = $1)
   update carts set merged_into = $2, version = version + 1, updated_at = $3 where id = $1`,
)
const removeQuantities = sql(
  'carts.remove_quantities',
  `with bought as (
    select (line->>'variantId')::uuid as variant_id, sum((line->>'quantity')::integer) as quantity
    from jsonb_array_elements($2::jsonb) as lines (line) group by 1
  ), removed as (
    delete from cart_lines as l using bought as b
    where l.cart_id = $1 and l.variant_id = b.variant_id and l.quantity <= b.quantity returning 1
  ), reduced as (
    update cart_lines as l set quantity = l.quantity - b.quantity from bought as b
    where l.cart_id = $1 and l.variant_id = b.variant_id and l.quantity > b.quantity returning 1
  )
  update carts set version = version + 1, updated_at = $3
  where id = $1 and (exists (select from removed) or exists (select from reduced))`,
)

type Locked = { customerId: string | null; mergedInto: string | null }

// Two carts are always locked in this order, the guest's before the customer's, so that claims and
// purchases cannot wait for each other in a circle.

/** Merges the guest's cart `cartId` into the customer's, within the transaction. */
export async function claim(
  tx: Tx,
  { cartId, customerId, newCartId, at }: Parameters<CartStore['claim']>[0],
  merge: (own: Cart, guest: Cart) => readonly LineChange[],
): Promise<Cart> {
  const guestRow = await tx.one<Locked>(lockCart, [cartId], cartNotFound)
  if (guestRow.mergedInto !== null) return readOwn(tx, guestRow.mergedInto, customerId)
  if (guestRow.customerId !== null) return readOwn(tx, cartId, customerId)
  await tx.run(insertCart, [newCartId, customerId, at])
  await tx.one(lockCurrent, [customerId], cartNotFound)
  // With the locks held, these statements see the lines that count.
  const guest = await tx.one<CartRow>(selectCart, [cartId], cartNotFound)
  const own = await tx.one<CartRow>(selectCurrent, [customerId], cartNotFound)
  await tx.run(writeLines, [own.id, JSON.stringify(merge(own, guest)), at])
  await tx.run(retireCart, [cartId, own.id, at])
  return tx.one<CartRow>(selectCurrent, [customerId], cartNotFound)
}

async function readOwn(tx: Tx, cartId: string, customerId: string): Promise<Cart> {
  return openCart(await tx.maybe<CartRow>(selectCart, [cartId]), customerId)
}

/** Takes bought quantities out of the cart, or out of the cart that took over its lines. */
export async function removeBought(
  tx: Tx,
  { messageId, cartId, lines }: Purchase,
  at: Date,
): Promise<string | undefined> {
  if (!(await recordMessage(tx, messageId, 'carts'))) return undefined
  const cart = await tx.maybe<Locked>(lockCart, [cartId])
  if (!cart) return undefined
  const target = cart.mergedInto ?? cartId
  if (target !== cartId) await tx.run(lockCart, [target])
  const changed = await tx.run(removeQuantities, [target, JSON.stringify(lines), at])
  return changed === 1 ? target : undefined
}
