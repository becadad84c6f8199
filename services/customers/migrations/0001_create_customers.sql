-- An erased customer stays as a row without personal data: its id and version keep an older
-- command from bringing it back.
create table customers (
  id uuid primary key,
  email text,
  name text,
  password_hash text,
  version bigint not null check (version > 0),
  created_at timestamptz not null,
  updated_at timestamptz not null,
  erased_at timestamptz,
  check ((erased_at is null) = (email is not null)),
  check ((email is null) = (password_hash is null) and (email is null) = (name is null))
);
-- E-mails are stored in the form in which they are compared; this holds even if that changes.
create unique index customers_email on customers (lower(email));

create table addresses (
  id uuid primary key,
  customer_id uuid not null references customers on delete cascade,
  name text not null,
  line1 text not null,
  line2 text,
  postal_code text not null,
  city text not null,
  region text,
  country text not null,
  created_at timestamptz not null
);
create index addresses_customer_id on addresses (customer_id, created_at);
