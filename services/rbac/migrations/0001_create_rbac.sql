create table roles (
  role text primary key,
  permissions text[] not null,
  version bigint not null check (version > 0),
  updated_at timestamptz not null
);

create table assignments (
  subject_id uuid primary key,
  roles text[] not null,
  version bigint not null check (version > 0),
  updated_at timestamptz not null
);
-- Finds who has a role, such as the other administrators.
create index assignments_roles on assignments using gin (roles);

create table audit_log (
  position bigint generated always as identity primary key,
  id uuid not null unique,
  at timestamptz not null,
  -- Null when the service itself acted, at its start.
  actor_id uuid,
  action text not null,
  target text not null,
  before text[] not null,
  after text[] not null
);

create function refuse_audit_change() returns trigger language plpgsql as $$
  begin
    raise exception 'The audit log is append-only.';
  end
$$;
create trigger audit_log_append_only before update or delete or truncate on audit_log
  for each statement execute function refuse_audit_change();

-- What is done once in the life of a database: the default roles, the first administrator.
create table first_steps (
  step text primary key,
  done_at timestamptz not null
);

-- The permissions that a release has brought; the administrator's role got each of them once.
create table known_permissions (
  permission text primary key
);

-- Every replica holds the policy in memory and reads it again when one of them changed it.
create function notify_policy() returns trigger language plpgsql as $$
  begin
    perform pg_notify('policy', '');
    return null;
  end
$$;
create trigger roles_notify after insert or update or delete on roles
  for each statement execute function notify_policy();
