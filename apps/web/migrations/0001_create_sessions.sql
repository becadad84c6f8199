create table sessions (
  -- SHA-256 of the cookie: who reads this table cannot use a session.
  id_hash bytea primary key,
  -- Tokens and the person's name, encrypted under SESSION_SECRET and bound to the row; null for guests.
  sealed bytea,
  customer_id uuid,
  access_expires_at timestamptz,
  -- Whoever holds this claim exchanges the refresh token; a claim of a process that died runs out.
  refresh_claimed_until timestamptz,
  cart_id uuid,
  cart_count integer not null default 0 check (cart_count >= 0),
  created_at timestamptz not null default now(),
  expires_at timestamptz not null
);
create index sessions_expiry on sessions (expires_at);
