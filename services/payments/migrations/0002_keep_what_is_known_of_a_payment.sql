-- What is known of a payment is a state that only grows; see src/domain/state.ts.
alter table payments
  add column provider text not null default 'stripe'
    check (provider in ('stripe', 'bank-transfer')),
  add column capture_method text not null default 'automatic'
    check (capture_method in ('automatic', 'manual')),
  add column is_closed boolean not null default false,
  add column phase text not null default 'open'
    check (phase in ('open', 'processing', 'authorized', 'captured', 'ended')),
  add column captured_minor bigint not null default 0 check (captured_minor >= 0),
  add column refunds jsonb not null default '[]',
  add column disputes jsonb not null default '[]',
  add column intent_id text,
  add column revision bigint not null default 0,
  -- Up to which revision orders has been told.
  add column settled_revision bigint not null default 0,
  -- Who saw the money arrive, where no provider tells.
  add column receipt jsonb,
  -- When it was last compared with the provider.
  add column compared_at timestamptz;

update payments set
  phase = case
    when status in ('paid', 'refunded') then 'captured'
    when status = 'cancelled' then 'ended'
    else 'open'
  end,
  is_closed = status in ('cancelled', 'refunded'),
  captured_minor = case when status in ('paid', 'refunded') then amount_minor else 0 end,
  refunds = case
    when status = 'refunded' and refund_id is not null then jsonb_build_array(jsonb_build_object(
      'id', null, 'providerId', refund_id, 'amountMinor', amount_minor, 'phase', 'succeeded',
      'reason', null))
    else '[]'
  end,
  revision = case when status in ('created', 'open') then 0 else 1 end,
  settled_revision = case when status in ('created', 'open') then 0 else 1 end;

-- `status` and `refund_id` are written by nobody any more; they can go when no older process runs.
alter table payments alter column status set default 'created';
alter table payments drop constraint payments_check;
alter table payments add constraint payments_terms_check check (
  is_closed
  or (lines is not null and amount_minor is not null and currency is not null
    and expires_at is not null)
);

create index payments_intent on payments (intent_id) where intent_id is not null;
create index payments_created on payments (created_at);
create index payments_refunds on payments using gin (refunds jsonb_path_ops)
  where refunds <> '[]';
-- What has no certain end yet; few at any time.
create index payments_unfinished on payments (compared_at nulls first)
  where session_id is not null
    and (phase in ('open', 'processing', 'authorized') or settled_revision < revision
      or refunds @> '[{"phase": "pending"}]');

-- The exact text, as it was signed; the older rows keep what they have.
alter table provider_events
  alter column payload drop not null,
  -- As exact as the cursors of the list.
  alter column received_at type timestamptz(3),
  add column body text,
  add column order_id uuid,
  add column payment_id uuid;
create index provider_events_received on provider_events (received_at, id);
create index provider_events_concluded on provider_events (received_at) where outcome is not null;

-- Differences between the provider and us that a person has to look at.
create table findings (
  id uuid primary key,
  kind text not null,
  -- What is different: a payment, or a session of the provider that is none of ours.
  subject text not null,
  order_id uuid,
  payment_id uuid,
  provider_reference text,
  detail text not null,
  found_at timestamptz not null,
  -- Set when a later comparison did not find it any more.
  resolved_at timestamptz
);
create unique index findings_open on findings (subject, kind) where resolved_at is null;
create index findings_newest on findings (found_at, id) where resolved_at is null;
