-- Trusted extension: the owner of the database may create it.
create extension if not exists pg_trgm;
-- The staff look for a part of the e-mail or of the name.
create index customers_search on customers
  using gin ((lower(email) || ' ' || lower(name)) gin_trgm_ops) where erased_at is null;
create index customers_newest on customers (id) where erased_at is null;
