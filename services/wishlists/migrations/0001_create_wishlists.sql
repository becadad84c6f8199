create table wishlists (
  customer_id uuid primary key,
  -- Kept beside the items, so that two additions at once cannot pass the limit together.
  items integer not null,
  constraint wishlists_size check (items between 0 and 200)
) with (fillfactor = 80);

-- No foreign key to the replica: it would lock the row of a popular variant at each adding, and
-- replica rows are never deleted.
create table wishlist_items (
  customer_id uuid not null,
  variant_id uuid not null,
  -- The order of adding.
  place bigint generated always as identity,
  added_amount_minor bigint not null,
  added_currency text not null,
  added_at timestamptz not null,
  primary key (customer_id, variant_id)
);
