import { sql } from '../../database.ts'
import type { Limits } from '../../delivery.ts'
import { createLoop } from '../../loop.ts'
import type { Handler, Message, StartPosition } from '../../messaging.ts'
import { createPartitionWork, isBehind, type PartitionOutcome } from './partition.ts'
import type { Broker, Consumer } from './queue.ts'
import { partitionCount } from './schema.ts'

export type TopicOptions = {
  broker: Broker
  topic: string
  from: StartPosition
  handler: Handler
  limits: Limits
}

export type GroupOptions = TopicOptions & {
  group: string
  /** Partitions that this process handles at once; each holds a connection meanwhile. */
  concurrency: number
}

export type TopicRow = { position: number; message: Message }

// The broker's own outage; short, because its return should be noticed soon.
const backoff = { baseMs: 100, maxMs: 1_000 }

/** The position to start from as an SQL expression over {@link startParameters}. */
export const startPosition = `coalesce((
  select max(position) from topic_messages
  where topic = $1 and ($2 = 'end' or ($2 = 'since'
    and created_at < clock_timestamp() - make_interval(secs => $3::float8 / 1000)))
), 0)`
const createPositions = sql(
  'kit.topic_create_positions',
  `insert into topic_positions (topic, group_name, partition, position)
   select $1, $4, partition, ${startPosition}
   from generate_series(0, ${partitionCount - 1}) as partition
   on conflict do nothing`,
)
// Of the partitions that are behind: those that wait for a retry, and those in a replica's hands,
// which would be nobody's without a word if it died.
const nextLook = sql(
  'kit.topic_next_look',
  `select min(coalesce(extract(epoch from retry_at - clock_timestamp()) * 1000, 0))::float8
     as "delayMs"
   from topic_positions as p
   where topic = $1 and group_name = $2 and ${isBehind}`,
)
// How soon to look again at a partition that a replica has in hand.
const standbyMs = 250

/** The parameters `$1`–`$3` of {@link startPosition}. */
export function startParameters(topic: string, from: StartPosition): unknown[] {
  return typeof from === 'string' ? [topic, from, 0] : [topic, 'since', from.sinceMs]
}

/** A named group: its replicas share the partitions, each partition in strict order. */
export function createGroupConsumer(options: GroupOptions): Consumer {
  const { broker, topic, group, from, concurrency } = options
  const { database, logger } = broker
  const { promise: ready, resolve: setReady } = Promise.withResolvers<void>()
  let isStopping = false
  let isRegistered = false
  const consumePartition = createPartitionWork(options, () => isStopping)

  async function register(): Promise<void> {
    if (isRegistered) return
    await broker.prepare()
    await database.run(createPositions, [...startParameters(topic, from), group])
    isRegistered = true
    setReady()
  }

  const workers = Array.from({ length: concurrency }, (_, index) => {
    const worker = {
      isBusy: false,
      loop: createLoop({ name: `topic ${topic} ${group}`, logger, backoff, round }),
    }
    function onClaim(): void {
      worker.isBusy = true
      // There may be more behind this one: the workers are called up one by one.
      workers[index + 1]?.loop.wake()
    }
    async function work(isAlone: boolean): Promise<PartitionOutcome> {
      try {
        return await database.transaction(
          (tx) => consumePartition(tx, { isAlone, onClaim }),
          // The handlers' effects are outside: a second run would repeat them at once.
          { maxAttempts: 1 },
        )
      } finally {
        worker.isBusy = false
      }
    }
    async function round(): Promise<number> {
      await register()
      if (isStopping) return broker.pollMs
      const outcome = await broker.gate.together(() => work(false))
      if (outcome === 'suspect' && !isStopping) await broker.gate.alone(() => work(true))
      if (outcome !== 'idle') return 0
      const look = await database.maybe<{ delayMs: number | null }>(nextLook, [topic, group])
      const delayMs = look?.delayMs ?? broker.pollMs
      return Math.min(delayMs > 0 ? delayMs : standbyMs, broker.pollMs)
    }
    return worker
  })

  return {
    ready,
    wake() {
      const idle = workers.find(({ isBusy }) => !isBusy)
      if (idle) idle.loop.wake()
      else for (const { loop } of workers) loop.wake()
    },
    start() {
      for (const { loop } of workers) loop.start()
    },
    async stop() {
      isStopping = true
      await Promise.all(workers.map(({ loop }) => loop.stop()))
    },
  }
}
