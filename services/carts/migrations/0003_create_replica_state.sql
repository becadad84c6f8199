-- Whether the replica was built to its end; a rebuild that was broken off is begun again at the next
-- start. The first start after this migration rebuilds once.
create table replica_state (
  id boolean primary key default true check (id),
  is_whole boolean not null
);
