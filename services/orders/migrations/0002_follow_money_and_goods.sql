-- Expand only: what version 1 wrote stays valid, and version 1 can still read and write.
alter table orders
  drop constraint orders_status_check,
  add constraint orders_status_check check (
    status in ('pending_payment', 'paid', 'partly_fulfilled', 'fulfilled', 'delivered',
      'cancelled', 'refunded')
  ),
  drop constraint orders_payment_status_check,
  add constraint orders_payment_status_check check (
    payment_status in ('pending', 'processing', 'authorized', 'paid', 'partly_refunded',
      'refunded', 'cancelled', 'failed')
  ),
  add column shipping_minor bigint not null default 0 check (shipping_minor >= 0),
  add column tax_included_minor bigint not null default 0 check (tax_included_minor >= 0),
  add column payment_method text not null default 'online'
    check (payment_method in ('online', 'bank_transfer')),
  -- The newest state of the payment that payments told.
  add column payment_revision bigint not null default 0,
  add column payment_phase text not null default 'open'
    check (payment_phase in ('open', 'processing', 'authorized', 'captured', 'ended')),
  add column captured_minor bigint not null default 0 check (captured_minor >= 0),
  add column disputes jsonb not null default '[]',
  add column fulfilments jsonb not null default '[]',
  add column refunds jsonb not null default '[]',
  -- Since when a refund waits to be told to payments; null when none does.
  add column refund_requested_at timestamptz;

create index orders_to_refund on orders (refund_requested_at)
  where refund_requested_at is not null;

update orders set payment_phase = 'captured', captured_minor = total_minor
where payment_status in ('paid', 'refunded');
update orders set payment_phase = 'ended' where payment_status = 'cancelled';
update orders set refunds = jsonb_build_array(jsonb_build_object(
  'id', gen_random_uuid(), 'isOurs', false, 'status', 'succeeded', 'amountMinor', total_minor,
  'lines', '[]'::jsonb, 'isReturned', false, 'reason', null, 'at', placed_at,
  'unsent', '[]'::jsonb, 'restocked', '[]'::jsonb, 'problem', null))
where payment_status = 'refunded' and total_minor > 0;

-- What happened to an order. `seq` is the version that the order had then.
create table order_timeline (
  order_id uuid not null,
  seq integer not null,
  at timestamptz not null,
  actor text not null check (actor in ('shopper', 'staff', 'provider', 'system')),
  subject_id uuid,
  what text not null,
  status text not null,
  -- The webhook, request or job behind it.
  cause text,
  details jsonb not null,
  primary key (order_id, seq)
);

-- Orders of before have one entry each, which says how far they had come.
insert into order_timeline (order_id, seq, at, actor, what, status, details)
select id, version, placed_at, 'system', 'adopted', status, jsonb_build_object(
  'lines', (select jsonb_agg(jsonb_build_object(
    'variantId', line->'variantId', 'quantity', line->'quantity')) from jsonb_array_elements(lines) line),
  'phase', payment_phase, 'capturedMinor', captured_minor, 'refunds', refunds,
  'isCancelled', status = 'cancelled',
  'isCancelling', cancellation_requested_at is not null)
from orders;
