-- Of an action elsewhere on the platform: what it was to do, by name. A default that is constant
-- touches no row, so the log stays as it was written.
alter table audit_log add column details jsonb not null default '{}';
