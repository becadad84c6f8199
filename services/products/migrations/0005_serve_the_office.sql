-- Lists of the staff show drafts and removed products too; the shop's indexes hold active ones only.
create index products_all_title on products (title_key, id);
create index products_all_updated on products (updated_at, id);
create index products_all_category on products (category_key, id);
create index products_inactive on products (id) where status <> 'active';
create index products_inactive_search on products using gin (search_text gin_trgm_ops)
  where status <> 'active';
-- What is scarce. It names no column that a reservation changes each time, so that reservations go
-- on without touching an index.
create index variants_scarce on variants (product_id)
  where availability <> 'in_stock' and not is_removed;
create index price_history_pages on price_history (variant_id, id);

-- Uploaded images. Each is written once and never changed.
create table images (
  id uuid primary key,
  product_id uuid not null references products,
  created_by text not null,
  created_at timestamptz not null
);
create index images_product on images (product_id);

create table image_renditions (
  image_id uuid not null references images on delete cascade,
  width integer not null check (width > 0),
  content bytea not null,
  primary key (image_id, width)
);
-- WebP is compressed already.
alter table image_renditions alter column content set storage external;
