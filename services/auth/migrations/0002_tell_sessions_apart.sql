-- What a session's owner knows it by. Sessions of before were last used nobody knows when: at their
-- begin at the earliest.
alter table sessions
  add column device text,
  add column last_used_at timestamptz;
