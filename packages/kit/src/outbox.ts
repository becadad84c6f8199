import { sql, type Tx } from './database.ts'
import type { Outgoing } from './messaging.ts'
import type { KitSchema } from './migrations.ts'
import { outboxChannel } from './relay.ts'
import { currentOrigin } from './trace.ts'

export { createRelay } from './relay.ts'

/**
 * The outbox table of a service's own database. The trigger fires once per statement, and the
 * notification is sent by PostgreSQL at commit, so a relay never wakes for nothing.
 */
export const outboxSchema: KitSchema = {
  name: 'kit/outbox',
  versions: [
    `create table outbox (
      id bigint generated always as identity primary key,
      address_kind text not null check (address_kind in ('queue', 'topic')),
      address_name text not null,
      partition_key text not null,
      message jsonb not null,
      created_at timestamptz not null default now()
    );
    create function notify_outbox() returns trigger language plpgsql as $$
      begin
        perform pg_notify('${outboxChannel}', '');
        return null;
      end
    $$;
    create trigger outbox_notify after insert on outbox
      for each statement execute function notify_outbox();`,
    `-- A relay reads the kinds apart, and is woken for the kind that there is.
    alter table outbox drop constraint outbox_pkey, add primary key (address_kind, id);
    create or replace function notify_outbox() returns trigger language plpgsql as $$
      begin
        perform pg_notify('${outboxChannel}', address_kind) from added group by address_kind;
        return null;
      end
    $$;
    drop trigger outbox_notify on outbox;
    create trigger outbox_notify after insert on outbox referencing new table as added
      for each statement execute function notify_outbox();`,
  ],
}

/**
 * The one value (`$n::jsonb`) that {@link outboxInsert} takes: the messages as JSON text. Each is
 * told its origin ({@link currentOrigin}), unless it names one, since this is where a change is made.
 */
export function toOutboxRows(entries: readonly Outgoing[]): string {
  const origin = currentOrigin()
  return toMessageRows(
    entries.map(({ address, message }) => ({ address, message: { ...origin, ...message } })),
  )
}

/** Messages as they are, as JSON text in the form of {@link toOutboxRows}. */
export function toMessageRows(entries: readonly Outgoing[]): string {
  return JSON.stringify(
    entries.map(({ address, message }) => ({
      kind: address.kind,
      name: address.name,
      key: message.partitionkey,
      message,
    })),
  )
}

/**
 * The SQL that appends the messages in parameter `$n` ({@link toOutboxRows}), to be a CTE of the
 * statement that changes the state:
 * `with changed as (update … returning …), emitted as (${outboxInsert(4, 'changed')}) select …`.
 * Name the changing CTE: nothing is then emitted when nothing changed, and the row ids are taken
 * after its row locks, which is what keeps the order of two writers of one row.
 */
export function outboxInsert(parameter: number, changed?: string): string {
  const condition = changed === undefined ? '' : `where exists (select 1 from ${changed})`
  return `insert into outbox (address_kind, address_name, partition_key, message)
    select entry->>'kind', entry->>'name', entry->>'key', entry->'message'
    from jsonb_array_elements($${parameter}::jsonb) with ordinality as entries (entry, place)
    ${condition}
    order by place`
}

const append = sql('kit.append_outbox', outboxInsert(1))

/**
 * Appends messages in the transaction of the change that they tell of. Call it after the change:
 * the lock on the changed row then keeps two writers' messages in order.
 */
export async function appendOutbox(tx: Tx, entries: readonly Outgoing[]): Promise<void> {
  if (entries.length > 0) await tx.run(append, [toOutboxRows(entries)])
}
