import { type Database, sql } from '@halles/kit/database'
import { AppError } from '@halles/kit/errors'
import { rebuildExclusively } from '@halles/kit/rebuilds'
import type { ReplicaProduct } from '../domain.ts'
import type { ReplicaStore } from '../ports.ts'

// The version decides, so that a state that comes twice or late changes nothing. A statement that
// waited for the product's lock does not see the variants that the other one wrote: it notices by
// the version, writes nothing and says so by `isFresh`.
const applyProduct = sql(
  'wishlists.apply_product',
  `with known as (
    select product_id, version from replica_products where product_id = $1 for update
  ), fresh as (
    select known.version from known join replica_products as seen using (product_id)
    where seen.version = known.version
  ), made as (
    insert into replica_products (product_id, version)
    select $1, $2 where not exists (select from known)
    on conflict do nothing returning version
  ), moved as (
    update replica_products set version = $2
    where product_id = $1 and exists (select from fresh where fresh.version < $2) returning version
  ), applied as (
    select version from made union all select version from moved
  ), variant as (
    select (item->>'variantId')::uuid as variant_id, item->>'title' as title,
      (item->'price'->>'amountMinor')::bigint as amount_minor, item->'price'->>'currency' as currency,
      item->>'availability' as availability
    from jsonb_array_elements($5::jsonb) as items (item)
  ), vanished as (
    update replica_variants set status = 'removed'
    where product_id = $1 and status <> 'removed' and exists (select from applied)
      and variant_id not in (select variant_id from variant)
    returning 1
  ), written as (
    insert into replica_variants as v (variant_id, product_id, product_title, variant_title,
      amount_minor, currency, availability, status)
    select variant_id, $1, $3, title, amount_minor, currency, availability, $4
    from variant, applied
    on conflict (variant_id) do update set product_id = excluded.product_id,
      product_title = excluded.product_title, variant_title = excluded.variant_title,
      amount_minor = excluded.amount_minor, currency = excluded.currency,
      availability = excluded.availability, status = excluded.status
    where (v.product_id, v.product_title, v.variant_title, v.amount_minor, v.currency,
        v.availability, v.status)
      is distinct from (excluded.product_id, excluded.product_title, excluded.variant_title,
        excluded.amount_minor, excluded.currency, excluded.availability, excluded.status)
    returning 1
  )
  select exists (select from applied) or exists (select from fresh) as "isFresh",
    (select count(*) from vanished) + (select count(*) from written) as "changed"`,
)
const forgetVersions = sql('wishlists.forget_versions', 'update replica_products set version = 0')
const setWhole = (isWhole: boolean) =>
  `insert into replica_state (is_whole) values (${isWhole})
   on conflict (id) do update set is_whole = excluded.is_whole`
const markIncomplete = sql('wishlists.mark_incomplete', setWhole(false))
const selectWhole = sql(
  'wishlists.select_whole',
  `select exists (select from replica_products)
     and exists (select from replica_state where is_whole) as "isWhole"`,
)
const removeForgotten = sql(
  'wishlists.remove_forgotten',
  `with state as (${setWhole(true)})
   update replica_variants set status = 'removed'
   where status <> 'removed' and product_id in (
     select product_id from replica_products where version = 0
   )`,
)

// Two events of one product meet only when one of them is replayed by an operator.
const maxTries = 5

function toStatus(status: ReplicaProduct['status']): 'sellable' | 'draft' | 'removed' {
  return status === 'active' ? 'sellable' : status
}

export function createReplicaStore(database: Database): ReplicaStore {
  return {
    async apply({ productId, version, title, status, variants }) {
      const values = [productId, version, title, toStatus(status), JSON.stringify(variants)]
      for (let tries = 1; tries <= maxTries; tries += 1) {
        const row = await database.maybe<{ isFresh: boolean; changed: number }>(
          applyProduct,
          values,
        )
        if (row?.isFresh) return row.changed
      }
      throw new AppError('unavailable', 'REPLICA_BUSY', 'A product changes too fast to be applied.')
    },
    async forgetVersions() {
      await database.run(forgetVersions)
    },
    async removeForgotten() {
      await database.run(removeForgotten)
    },
    async markIncomplete() {
      await database.run(markIncomplete)
    },
    async isWhole() {
      return (await database.maybe<{ isWhole: boolean }>(selectWhole))?.isWhole === true
    },
    exclusively: (work) => rebuildExclusively(database, work),
  }
}
