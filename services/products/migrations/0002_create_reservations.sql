-- The id is the order's.
create table reservations (
  id uuid primary key,
  status text not null check (status in ('held', 'released', 'sold')),
  expires_at timestamptz not null,
  created_at timestamptz not null default now(),
  settled_at timestamptz
);
create index reservations_expiry on reservations (expires_at) where status = 'held';

-- What was asked for and the price quoted then; `taken` is what a sale took from the stock.
create table reservation_lines (
  reservation_id uuid not null references reservations on delete cascade,
  place smallint not null,
  variant_id uuid not null references variants,
  product_id uuid not null,
  sku text not null,
  title text not null,
  variant_title text not null,
  quantity integer not null check (quantity > 0),
  unit_amount_minor bigint not null,
  currency text not null,
  taken integer not null default 0 check (taken between 0 and quantity),
  primary key (reservation_id, variant_id)
);
