-- One row per Idempotency-Key: the persisted saga that ends in an order or in a refusal.
create table checkouts (
  order_id uuid primary key,
  -- Whose key it is: a subject, or the cart of a guest.
  scope text not null,
  idempotency_key text not null,
  fingerprint text not null,
  -- Emptied when the checkout ends: the order has what is needed of it.
  request jsonb,
  state text not null default 'started' check (state in ('started', 'placed', 'refused')),
  problem jsonb,
  -- Stock or a payment may still be held for a checkout that was refused.
  needs_compensation boolean not null default false,
  -- Who works on it now, and until when nobody else may.
  lease_id uuid,
  lease_until timestamptz,
  created_at timestamptz not null default now(),
  unique (scope, idempotency_key)
);
create index checkouts_unfinished on checkouts (created_at)
  where state = 'started' or needs_compensation;

create table orders (
  id uuid primary key,
  version integer not null,
  status text not null check (
    status in ('pending_payment', 'paid', 'fulfilled', 'delivered', 'cancelled', 'refunded')
  ),
  cart_id uuid not null,
  -- Null for a guest.
  customer_id uuid,
  email text,
  shipping_address jsonb not null,
  -- What was bought, at the price of the moment: never changed afterwards.
  lines jsonb not null,
  total_minor bigint not null check (total_minor >= 0),
  currency text not null,
  payment_id text not null,
  payment_status text not null check (
    payment_status in ('pending', 'paid', 'cancelled', 'refunded')
  ),
  redirect_url text not null,
  expires_at timestamptz not null,
  placed_at timestamptz not null,
  cancellation_requested_at timestamptz,
  cancellation_reason text
);
-- Ids are UUIDv7, so their order is the order of time.
create index orders_of_customer on orders (customer_id, id desc);
create index orders_of_status on orders (status, id desc);
create index orders_unpaid on orders (expires_at) where status = 'pending_payment';
create index orders_to_cancel on orders (cancellation_requested_at)
  where cancellation_requested_at is not null and status in ('pending_payment', 'paid');
