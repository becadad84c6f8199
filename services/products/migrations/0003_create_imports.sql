create table imports (
  id uuid primary key,
  status text not null check (status in ('running', 'finished', 'failed')),
  -- The file, until the import is over.
  content text,
  currency text not null,
  quantity integer not null,
  created_by text not null,
  created_at timestamptz not null,
  finished_at timestamptz,
  -- The worker's lease: a replica that died loses it, and another one goes on from `done`.
  locked_by uuid,
  locked_until timestamptz,
  -- Null until the file was read.
  format text,
  total integer not null default 0,
  done integer not null default 0,
  created integer not null default 0,
  updated integer not null default 0,
  unchanged integer not null default 0,
  rejected_total integer not null default 0,
  rejected_by_reason jsonb not null default '{}',
  rejected jsonb not null default '[]',
  problem text
);
create index imports_running on imports (created_at) where status = 'running';
