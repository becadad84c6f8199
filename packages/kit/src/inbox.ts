import { type Database, sql, type Tx } from './database.ts'
import type { Logger } from './logging.ts'
import { createLoop } from './loop.ts'
import type { KitSchema } from './migrations.ts'
import { currentContext } from './trace.ts'

/** The inbox table of a service's own database: which message each consumer has applied. */
export const inboxSchema: KitSchema = {
  name: 'kit/inbox',
  versions: [
    `create table inbox (
      consumer text not null,
      message_id uuid not null,
      received_at timestamptz not null default now(),
      primary key (consumer, message_id)
    );
    create index inbox_received_at on inbox using brin (received_at);`,
  ],
}

const record = sql(
  'kit.record_inbox',
  'insert into inbox (consumer, message_id) values ($1, $2) on conflict do nothing',
)
const forget = sql('kit.forget_inbox', 'delete from inbox where consumer = $1')
const prune = sql(
  'kit.prune_inbox',
  `delete from inbox where ctid = any (array(
    select ctid from inbox where received_at < now() - make_interval(secs => $1) limit $2
  ))`,
)

/**
 * Remembers in the effect's own transaction that the consumer applies this message; call it first.
 * False means that it was applied before: do nothing and let the message be acknowledged. A
 * concurrent try at the same message waits here until the first one commits or rolls back.
 */
export async function recordMessage(tx: Tx, messageId: string, consumer: string): Promise<boolean> {
  const isNew = (await tx.run(record, [consumer, messageId])) === 1
  const handled = currentContext()?.handled
  if (!isNew && handled) handled.isRepeated = true
  return isNew
}

/** Lets the consumer apply everything again; part of a rebuild together with `resetGroup`. */
export async function forgetMessages(tx: Tx, consumer: string): Promise<void> {
  await tx.run(forget, [consumer])
}

export type InboxPrunerOptions = {
  database: Database
  logger: Logger
  /** Default 14 days: longer than any broker keeps redelivering by itself. */
  keepSeconds?: number
  /** Time between two rounds. Default 1 hour: the table grows slowly. */
  intervalMs?: number
}

// A batch that deletes in well under the statement time-out and holds no lock for long.
const pruneBatch = 5_000

/** A part for the life-cycle that deletes old inbox rows, in bounded batches. */
export function createInboxPruner(options: InboxPrunerOptions) {
  const { database, logger, keepSeconds = 14 * 86_400, intervalMs = 3_600_000 } = options
  const loop = createLoop({
    name: 'inbox pruner',
    logger,
    backoff: { baseMs: 1_000, maxMs: 60_000 },
    async round() {
      const removed = await database.run(prune, [keepSeconds, pruneBatch])
      return removed === pruneBatch ? 0 : intervalMs
    },
  })
  return {
    name: 'inbox pruner',
    start: async () => loop.start(),
    stop: () => loop.stop(),
  }
}
