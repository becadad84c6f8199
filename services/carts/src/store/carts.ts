import { type Database, type Statement, sql } from '@halles/kit/database'
import { cartNotFound, type PutOutcome } from '../domain.ts'
import type { CartStore } from '../ports.ts'
import { claim, removeBought } from './merges.ts'
import {
  type CartRow,
  insertCart,
  lineColumns,
  linesJson,
  lockCart,
  selectCart,
  selectCarts,
  selectCurrent,
} from './rows.ts'

// A statement that waited for the cart's lock still sees the lines of before. It tells by the
// cart's version, which each change of a line moves: then it writes nothing and is not fresh.
const openedCart = `cart as (
    select id, customer_id, version from carts
    where id = $1 and merged_into is null and (customer_id is null or customer_id = $2::uuid)
    for update
  ), line as (
    select ${lineColumns} from cart_lines as l join replica_variants as v using (variant_id)
    where l.cart_id = $1
  ), fresh as (
    select cart.id from cart join carts as seen on seen.id = cart.id
    where seen.version = cart.version
  )`
const cartAnswer = `cart.id, cart.customer_id as "customerId",
  coalesce((select version from changed), cart.version) as version,
  exists (select from fresh) as "isFresh", exists (select from changed) as "isChanged"`

const putLine = sql(
  'carts.put_line',
  `with ${openedCart}, variant as (
    select * from replica_variants where variant_id = $3 and status = 'sellable'
  ), facts as (
    select count(*) as line_count, max(line.quantity) filter (where line.variant_id = $3) as before,
      coalesce(bool_or(line.currency <> variant.currency), false) as is_other_currency
    from line left join variant on true
  ), put as (
    insert into cart_lines (cart_id, variant_id, quantity, added_amount_minor, added_currency)
    select fresh.id, variant.variant_id, $4, variant.amount_minor, variant.currency
    from fresh, variant, facts
    where before is distinct from $4
      and (before is not null or (line_count < $5 and not is_other_currency))
    on conflict (cart_id, variant_id) do update set quantity = excluded.quantity
    returning place, variant_id, quantity, added_amount_minor, added_currency
  ), changed as (
    update carts set version = version + 1, updated_at = $6
    where id = $1 and exists (select from put) returning version
  ), after as (
    select * from line where variant_id <> $3 or not exists (select from put)
    union all
    select ${lineColumns} from put as l join variant as v using (variant_id)
  )
  select ${cartAnswer}, exists (select from variant) as "isSellable",
    facts.before is null as "isNewLine", facts.line_count as "lineCount",
    facts.is_other_currency as "isOtherCurrency", ${linesJson('after')} as lines
  from cart, facts`,
)
const removeLine = sql(
  'carts.remove_line',
  `with ${openedCart}, removed as (
    delete from cart_lines using fresh where cart_id = fresh.id and variant_id = $3 returning 1
  ), changed as (
    update carts set version = version + 1, updated_at = $4
    where id = $1 and exists (select from removed) returning version
  ), after as (
    select * from line where variant_id <> $3
  )
  select ${cartAnswer}, ${linesJson('after')} as lines from cart`,
)
const removeGuestCarts = sql(
  'carts.remove_guest_carts',
  `delete from carts where id = any (array(
     select id from carts where customer_id is null and updated_at < $1 and id < $2
     limit $3 for update skip locked
   ))`,
)

type LineAnswer = CartRow & { isFresh: boolean; isChanged: boolean }

/** Runs a statement on a cart; should it have waited for another one, again with the lock held. */
async function changeCart<R extends LineAnswer>(
  database: Database,
  statement: Statement,
  values: readonly [cartId: string, ...rest: unknown[]],
): Promise<R> {
  const answer = await database.one<R>(statement, values, cartNotFound)
  if (answer.isFresh) return answer
  return database.transaction(async (tx) => {
    await tx.run(lockCart, [values[0]])
    return tx.one<R>(statement, values, cartNotFound)
  })
}

function toCart({ id, customerId, version, lines }: CartRow): CartRow {
  return { id, customerId, version, lines }
}

/** The least UUIDv7 of a moment: ids below it were made earlier. */
function firstIdOf(at: Date): string {
  const time = at.getTime().toString(16).padStart(12, '0')
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-000000000000`
}

export function createCartStore(database: Database): CartStore {
  const newCart = (id: string, customerId: string | null) => ({
    id,
    customerId,
    version: 1,
    lines: [],
  })
  return {
    read: (cartId) => database.maybe<CartRow>(selectCart, [cartId]),
    readMany: (cartIds) => database.query<CartRow>(selectCarts, [cartIds]),
    readCurrent: (customerId) => database.maybe<CartRow>(selectCurrent, [customerId]),
    async createGuestCart(cartId, at) {
      await database.run(insertCart, [cartId, null, at])
      return newCart(cartId, null)
    },
    async createCurrent(cartId, customerId, at) {
      const made = await database.run(insertCart, [cartId, customerId, at])
      if (made === 1) return newCart(cartId, customerId)
      // Another request made it meanwhile; a customer's cart is never deleted.
      return database.one<CartRow>(selectCurrent, [customerId], cartNotFound)
    },
    async putLine({ cartId, customerId, variantId, quantity }, { maxLines, at }) {
      const values = [cartId, customerId, variantId, quantity, maxLines, at] as const
      const row = await changeCart<LineAnswer & Omit<PutOutcome, 'cart'>>(database, putLine, values)
      const { isChanged, isSellable, isNewLine, lineCount, isOtherCurrency } = row
      return { cart: toCart(row), isChanged, isSellable, isNewLine, lineCount, isOtherCurrency }
    },
    async removeLine({ cartId, customerId, variantId }, at) {
      const values = [cartId, customerId, variantId, at] as const
      const row = await changeCart(database, removeLine, values)
      return { cart: toCart(row), isChanged: row.isChanged }
    },
    claim: (command, merge) => database.transaction((tx) => claim(tx, command, merge)),
    removeBought: (purchase, at) => database.transaction((tx) => removeBought(tx, purchase, at)),
    removeGuestCarts: (untouchedSince, limit) =>
      database.run(removeGuestCarts, [untouchedSince, firstIdOf(untouchedSince), limit]),
  }
}
