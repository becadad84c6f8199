import { AppError } from '../errors.ts'
import type {
  DeadLetterSummary,
  DeadLetters,
  Messaging,
  MessagingStats,
  Outgoing,
  Publisher,
  Queues,
  Topics,
} from '../messaging.ts'

/** One port over a broker of queues and a broker of topics. */
export function combineMessaging(queues: Queues, topics: Topics): Messaging {
  return {
    name: 'messaging',
    publisher: combinePublishers(queues.publisher, topics.publisher),
    consumeQueue: queues.consumeQueue,
    subscribeTopic: topics.subscribeTopic,
    replayTopic: topics.replayTopic,
    deadLetters: combineDeadLetters(queues.deadLetters, topics.deadLetters),
    async stats() {
      const [ofQueues, ofTopics] = await Promise.all([queues.stats(), topics.stats()])
      return addStats(ofQueues, ofTopics)
    },
    async start() {
      await Promise.all([queues.start(), topics.start()])
    },
    async stop() {
      await Promise.all([queues.stop(), topics.stop()])
    },
  }
}

function addStats(a: MessagingStats, b: MessagingStats): MessagingStats {
  return {
    queues: [...a.queues, ...b.queues],
    topics: [...a.topics, ...b.topics],
    deadLetters: a.deadLetters + b.deadLetters,
  }
}

function combinePublishers(queues: Publisher, topics: Publisher): Publisher {
  return {
    async publish(items) {
      const { queue = [], topic = [] } = Object.groupBy(items, ({ address }) => address.kind)
      const send = (publisher: Publisher, some: readonly Outgoing[]) =>
        some.length > 0 ? [publisher.publish(some)] : []
      await Promise.all([...send(queues, queue), ...send(topics, topic)])
    },
  }
}

function combineDeadLetters(queues: DeadLetters, topics: DeadLetters): DeadLetters {
  /** Ids are unique over both brokers: what the one does not know may be the other's. */
  async function eitherOf<T>(ask: (letters: DeadLetters) => Promise<T>): Promise<T> {
    try {
      return await ask(queues)
    } catch (error) {
      if (!(error instanceof AppError && error.code === 'DEAD_LETTER_NOT_FOUND')) throw error
      return ask(topics)
    }
  }

  return {
    async list(filter) {
      const pages = await Promise.all([queues.list(filter), topics.list(filter)])
      const merged = pages.flatMap(({ items }) => items).sort(newestFirst)
      const items = merged.slice(0, filter.limit)
      const hasMore =
        merged.length > items.length || pages.some(({ nextCursor }) => nextCursor !== undefined)
      return { items, nextCursor: hasMore ? items.at(-1)?.id : undefined }
    },
    get: (id) => eitherOf((letters) => letters.get(id)),
    replay: (id) => eitherOf((letters) => letters.replay(id)),
    discard: (id, reason) => eitherOf((letters) => letters.discard(id, reason)),
  }
}

// Ids of dead letters are UUIDv7: their order is that of time, in both brokers.
function newestFirst(a: DeadLetterSummary, b: DeadLetterSummary): number {
  if (a.id === b.id) return 0
  return a.id < b.id ? 1 : -1
}
