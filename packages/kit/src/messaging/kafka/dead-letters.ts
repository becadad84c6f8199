import type { DeadLetter } from '../../messaging.ts'
import {
  type DeadLetterEntry,
  type DeadLetterLog,
  parseDeadLetterEntry,
} from '../dead-letter-index.ts'
import type { Connector } from './client.ts'
import { type KafkaPublisher, toRecord } from './publisher.ts'
import { createReader, earliest, listOffsets } from './reader.ts'
import { deadLetterTopic, replaysTopic, type TopicRegistry } from './topics.ts'

const readDeadlineMs = 5_000

/** What the newest entry of replaces the older ones, when the topic is compacted. */
function toKey(entry: DeadLetterEntry): string {
  if (entry.kind === 'letter') return entry.letter.id
  return entry.kind === 'resolved' ? entry.id : 'mark'
}

/** The log of dead letters: a compacted topic that keeps of each letter what became of it last. */
export function createDeadLetterLog(
  connector: Connector,
  registry: TopicRegistry,
  publisher: KafkaPublisher,
): DeadLetterLog {
  return {
    async append(entry) {
      const record = { topic: deadLetterTopic, key: toKey(entry), value: JSON.stringify(entry) }
      await publisher.send([{ ...record, contentType: 'application/json' }])
    },
    // Positions are the broker's own: after a reconnect reading goes on, and never begins again.
    async follow(onEntry) {
      await registry.ensure(deadLetterTopic)
      const link = connector.open('dead-letters')
      const [offset = 0n] = await link.insist(
        (client) => listOffsets(client, deadLetterTopic, earliest),
        readDeadlineMs,
      )
      const stopping = new AbortController()
      const reader = createReader(link, connector.logger)
      const feed = reader.open({ topic: deadLetterTopic, partition: 0, offset })
      async function read(): Promise<void> {
        for (;;) {
          const record = await feed.take(stopping.signal)
          if (record === undefined) return
          const entry = parseDeadLetterEntry(record.value?.toString() ?? '')
          if (entry) onEntry(entry)
        }
      }
      const reading = read()
      return {
        async stop() {
          stopping.abort()
          await reading
          await reader.close()
        },
      }
    },
  }
}

/** Gives a dead letter back to the one group that failed on it. */
export function createRedelivery(publisher: KafkaPublisher) {
  return async ({ address, group = '', message }: DeadLetter): Promise<void> => {
    await publisher.send([toRecord(replaysTopic(address.name, group), message)])
  }
}
