-- The replica of the customers' credentials. A removed subject keeps its version here, so that an
-- older command that comes late cannot bring it back.
create table credentials (
  subject_id uuid primary key,
  email text,
  password_hash text,
  version bigint not null check (version > 0),
  updated_at timestamptz not null,
  check ((email is null) = (password_hash is null))
);
-- Not unique: commands of two subjects are not ordered among themselves, so an e-mail that passes
-- from one to the other may be held by both for a moment. The customers service keeps it unique.
create index credentials_email on credentials (email);

-- The replica of the role assignments.
create table assignments (
  subject_id uuid primary key,
  roles text[] not null,
  version bigint not null check (version > 0)
);

create table sessions (
  id uuid primary key,
  subject_id uuid not null,
  -- SHA-256 of the one refresh token that is good.
  refresh_hash bytea not null unique,
  refresh_expires_at timestamptz not null,
  created_at timestamptz not null,
  expires_at timestamptz not null
);
create index sessions_subject_id on sessions (subject_id);
create index sessions_refresh_expires_at on sessions (refresh_expires_at);

-- Tokens that were exchanged already; seeing one again means that somebody copied it.
create table used_refresh_tokens (
  refresh_hash bytea primary key,
  session_id uuid not null references sessions on delete cascade,
  expires_at timestamptz not null
);
create index used_refresh_tokens_session_id on used_refresh_tokens (session_id);
create index used_refresh_tokens_expires_at on used_refresh_tokens (expires_at);

-- Keyed by a hash of the e-mail, also of those that nobody has.
create table sign_in_failures (
  email_hash bytea primary key,
  failures integer not null,
  ends_at timestamptz not null
);
create index sign_in_failures_ends_at on sign_in_failures (ends_at);

create table signing_keys (
  kid uuid primary key,
  public_key jsonb not null,
  -- AES-256-GCM under SIGNING_KEY_SECRET: nonce, tag, PKCS #8.
  private_key bytea not null,
  created_at timestamptz not null,
  -- Until when the public key is published; null for the newest.
  retires_at timestamptz
);
