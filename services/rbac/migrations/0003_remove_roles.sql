-- A removed role keeps its row, and with it its version: should it be made again, its events go on
-- where they ended. To the release before it is a role without permissions.
alter table roles add column removed_at timestamptz;
