-- What carts knows of products, from products.events.v1.
create table replica_products (
  product_id uuid primary key,
  -- The version of the state that was applied last; 0 lets the next one pass.
  version bigint not null
);

create table replica_variants (
  variant_id uuid primary key,
  product_id uuid not null,
  product_title text not null,
  variant_title text not null,
  amount_minor bigint not null,
  currency text not null,
  availability text not null check (availability in ('in_stock', 'low_stock', 'out_of_stock')),
  status text not null check (status in ('sellable', 'draft', 'removed'))
) with (fillfactor = 80);
create index replica_variants_product on replica_variants (product_id);
