-- Trusted extension: the owner of the database may create it.
create extension if not exists pg_trgm;

create table products (
  id uuid primary key,
  slug text not null,
  title text not null,
  description_html text not null,
  vendor text,
  category text,
  tags text[] not null,
  status text not null check (status in ('active', 'draft', 'removed')),
  options text[] not null,
  images jsonb not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  version bigint not null check (version >= 1),
  -- What follows is derived from the product and its variants on every change, so that reading
  -- takes one index scan and no work: keys of sorts and filters, and the answers as ready JSON.
  category_key text,
  title_key text collate "C" not null,
  price_from bigint not null,
  search_text text not null,
  summary text not null,
  document text not null
);
-- The list reads summaries by the dozen: they stay in the row, the long texts leave it.
alter table products alter column summary set storage main;

-- What was removed gives its slug free.
create unique index products_slug on products (slug) where status <> 'removed';
create index products_newest on products (id) where status = 'active';
create index products_title on products (title_key, id) where status = 'active';
create index products_price on products (price_from, id) where status = 'active';
create index products_category on products (category_key, id) where status = 'active';
create index products_search on products using gin (search_text gin_trgm_ops)
  where status = 'active';

create table variants (
  id uuid primary key,
  product_id uuid not null references products,
  position smallint not null,
  sku text not null,
  title text not null,
  option_values text[] not null,
  price_minor bigint not null check (price_minor >= 0),
  currency text not null check (currency ~ '^[A-Z]{3}$'),
  compare_at_minor bigint check (compare_at_minor >= 0),
  on_hand integer not null,
  reserved integer not null default 0,
  -- As last published; a change of stock that leads to another one is published.
  availability text not null check (availability in ('in_stock', 'low_stock', 'out_of_stock')),
  is_removed boolean not null default false,
  constraint variants_stock check (reserved >= 0 and on_hand >= reserved)
) with (fillfactor = 80); -- Room for the new row versions of reservations on the same page.
create unique index variants_sku on variants (sku) where not is_removed;
create index variants_product on variants (product_id);

create table price_history (
  id bigint generated always as identity primary key,
  variant_id uuid not null references variants,
  changed_by text not null,
  changed_at timestamptz not null,
  from_minor bigint not null,
  to_minor bigint not null,
  currency text not null
);
create index price_history_variant on price_history (variant_id, changed_at);
