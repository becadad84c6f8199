create table carts (
  id uuid primary key,
  -- Null for a guest's cart, which belongs to whoever holds its id.
  customer_id uuid,
  -- Of a guest's cart that was claimed: the customer's cart that took its lines. Customers' carts stay,
  -- so no foreign key, which would search the table for each cart that is deleted.
  merged_into uuid,
  -- Grows with each change of the lines; how a statement notices that it has waited for another.
  version bigint not null default 1,
  updated_at timestamptz not null,
  check (customer_id is null or merged_into is null)
) with (fillfactor = 80);
create unique index carts_customer on carts (customer_id) where customer_id is not null;
-- Ids are UUIDv7, so this finds old guest carts without an index that every change would touch.
create index carts_guests on carts (id) where customer_id is null;

-- No foreign key to the replica: it would lock the row of a popular variant at each adding, and
-- replica rows are never deleted.
create table cart_lines (
  cart_id uuid not null references carts (id) on delete cascade,
  variant_id uuid not null,
  -- The order of adding.
  place bigint generated always as identity,
  quantity integer not null check (quantity between 1 and 999),
  added_amount_minor bigint not null,
  added_currency text not null,
  primary key (cart_id, variant_id)
) with (fillfactor = 80);
