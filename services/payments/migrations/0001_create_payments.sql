create table payments (
  id uuid primary key,
  -- One payment per order, whatever happens.
  order_id uuid not null unique,
  status text not null check (status in ('created', 'open', 'paid', 'cancelled', 'refunded')),
  -- What is charged; null for an order that was cancelled before its payment was asked for.
  email text,
  lines jsonb,
  amount_minor bigint check (amount_minor >= 0),
  currency text,
  expires_at timestamptz,
  session_id text unique,
  redirect_url text,
  refund_id text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check (
    status = 'cancelled'
    or (lines is not null and amount_minor is not null and currency is not null
      and expires_at is not null)
  )
);

-- The inbox of the provider's notifications. `outcome` is written after the effect, never before.
create table provider_events (
  id text primary key,
  type text not null,
  payload jsonb not null,
  outcome text check (outcome in ('applied', 'duplicate', 'ignored', 'refused')),
  problem jsonb,
  attempts integer not null default 1,
  -- The code of the last try that failed and is to be repeated by the provider.
  last_failure text,
  received_at timestamptz not null default now(),
  concluded_at timestamptz
);
create index provider_events_open on provider_events (received_at) where outcome is null;
