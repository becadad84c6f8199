import { sql } from '../../database.ts'
import type { KitSchema } from '../../migrations.ts'

/** The channel on which the embedded broker announces `queue:<name>` and `topic:<name>`. */
export const brokerChannel = 'messages'

/** Order is kept per key within one of these; more would only mean more rows per group. */
export const partitionCount = 8

/** The tables of the embedded broker, in a database of its own. */
export const brokerSchema: KitSchema = {
  name: 'kit/messages',
  versions: [
    `create table queue_messages (
      id bigint generated always as identity primary key,
      queue text not null,
      message jsonb not null,
      attempts integer not null default 0,
      -- Of a claimed message: when its lease ends.
      available_at timestamptz not null default clock_timestamp(),
      claim uuid,
      failing_since timestamptz,
      history jsonb not null default '[]',
      created_at timestamptz not null default clock_timestamp()
    );
    create index queue_messages_available on queue_messages (queue, available_at, id);

    create table topic_messages (
      topic text not null,
      position bigint generated always as identity,
      partition smallint not null,
      key text not null,
      message jsonb not null,
      created_at timestamptz not null default clock_timestamp(),
      primary key (topic, position)
    );
    create index topic_messages_partition on topic_messages (topic, partition, position);
    create index topic_messages_key on topic_messages (topic, key, position);

    create table topic_positions (
      topic text not null,
      group_name text not null,
      partition smallint not null,
      position bigint not null,
      attempts integer not null default 0,
      retry_at timestamptz,
      failing_since timestamptz,
      history jsonb not null default '[]',
      primary key (topic, group_name, partition)
    );

    create table dead_letters (
      id uuid primary key,
      kind text not null,
      name text not null,
      group_name text,
      service text not null,
      type text not null,
      message jsonb not null,
      attempts integer not null,
      code text not null,
      reason text not null,
      history jsonb not null,
      failed_at timestamptz not null default clock_timestamp()
    );

    create function publish_messages(items jsonb) returns void language plpgsql as $$
    declare
      topic_name text;
    begin
      -- The consumers' sessions do without a flush; a confirmed message must be on disk.
      perform set_config('synchronous_commit', 'on', true);
      -- A reader that saw position 8 before 7 is committed would skip 7 for good, so positions are
      -- given and committed by one publisher of a topic at a time; sorted, against deadlocks.
      for topic_name in
        select distinct item->>'name' from jsonb_array_elements(items) as entries (item)
        where item->>'kind' = 'topic' order by 1
      loop
        perform pg_advisory_xact_lock(hashtextextended(topic_name, 4801));
      end loop;
      insert into topic_messages (topic, partition, key, message)
        select item->>'name', abs(hashtext(item->>'key')::bigint) % ${partitionCount},
          item->>'key', item->'message'
        from jsonb_array_elements(items) with ordinality as entries (item, place)
        where item->>'kind' = 'topic' order by place;
      insert into queue_messages (queue, message)
        select item->>'name', item->'message'
        from jsonb_array_elements(items) with ordinality as entries (item, place)
        where item->>'kind' = 'queue' order by place;
      perform pg_notify('${brokerChannel}', target) from (
        select distinct (item->>'kind') || ':' || (item->>'name') as target
        from jsonb_array_elements(items) as entries (item)
      ) as targets;
    end
    $$;`,
    `-- Of a claimed message: it is the only one that its process has in hand.
    alter table queue_messages add column is_alone boolean not null default false;

    -- Written outside the transaction that is the claim of a partition, to outlive a crash: the
    -- messages after position up to through were in hand, claims times alone.
    create table topic_claims (
      topic text not null,
      group_name text not null,
      partition smallint not null,
      position bigint not null,
      through bigint not null,
      claims integer not null,
      primary key (topic, group_name, partition)
    );`,
  ],
}

/** Stores `$1`, the outgoing messages as `toMessageRows` writes them, in one round trip. */
export const publishMessages = sql('kit.publish_messages', 'select publish_messages($1::jsonb)')

export const notifyBroker = sql('kit.notify_broker', `select pg_notify('${brokerChannel}', $1)`)
