import { setTimeout as pause } from 'node:timers/promises'
import { AppError } from '../../errors.ts'
import type { TopicSettings } from '../../messaging.ts'
import type { Client, Link } from './client.ts'
import { toProtocolErrors, toResponse } from './errors.ts'

/** How the adapter keeps dead letters: one log for all topics and groups. */
export const deadLetterTopic = 'halles.dead-letters'

/** By which a dead letter returns to the one group that failed on it. */
export function replaysTopic(topic: string, group: string): string {
  return `halles.replays.${topic}.${group}`
}

const dayMs = 86_400_000
const defaults: TopicSettings = { partitions: 4, retention: { days: 7 } }
// A replay is consumed at once unless its group is away; what waits longer can be replayed again.
const ofReplays: TopicSettings = { partitions: 1, retention: { days: 7 } }
const ofDeadLetters: TopicSettings = { partitions: 1, retention: 'compacted' }
// Creation takes a broker some hundred milliseconds, an election of leaders some seconds.
const deadlineMs = 8_000
const pollMs = 50

export type TopicRegistry = {
  /**
   * Resolves with the number of its partitions when the topic is there, with a leader for each of
   * them; creates it if need be.
   */
  ensure(topic: string): Promise<number>
}

/** Creates topics on first use, by their settings in the contracts. */
export function createTopicRegistry(
  link: Link,
  settings: Readonly<Record<string, TopicSettings>>,
): TopicRegistry {
  const known = new Map<string, Promise<number>>()

  function toSettings(topic: string): TopicSettings {
    if (topic === deadLetterTopic) return ofDeadLetters
    if (topic.startsWith('halles.replays.')) return ofReplays
    return settings[topic] ?? defaults
  }

  async function create(client: Client, topic: string): Promise<void> {
    const { length: brokers } = await client.nodes()
    const request = {
      name: topic,
      numPartitions: toSettings(topic).partitions,
      replicationFactor: Math.min(3, brokers),
      assignments: [],
      configs: toConfigs(toSettings(topic), brokers),
    }
    try {
      await client.ask('any', 'CreateTopics', [request], deadlineMs, false)
    } catch (error) {
      const names = toProtocolErrors(error)
      if (names.length === 0) throw error
      // Another process was faster.
      if (names.includes('TOPIC_ALREADY_EXISTS')) return
      const { topics } = toResponse<{ topics: { errorMessage?: string | null }[] }>(error)
      const reason = topics[0]?.errorMessage ?? names.join(', ')
      throw new AppError(
        'unavailable',
        'MESSAGES_UNAVAILABLE',
        `The topic ${topic} cannot be created: ${reason}`,
        { retryAfterSeconds: 1, cause: error },
      )
    }
  }

  async function prepare(client: Client, topic: string): Promise<number> {
    for (let isCreated = false; ; ) {
      const info = await client.topic(topic)
      if (info?.leaders.every((leader) => leader >= 0)) return info.leaders.length
      client.forget()
      if (info === undefined && !isCreated) {
        await create(client, topic)
        isCreated = true
      } else {
        await pause(pollMs)
      }
    }
  }

  return {
    ensure(topic) {
      const started =
        known.get(topic) ??
        link
          .use((client) => prepare(client, topic), deadlineMs)
          .catch((error: unknown) => {
            known.delete(topic)
            throw error
          })
      known.set(topic, started)
      return started
    },
  }
}

function toConfigs({ retention }: TopicSettings, brokers: number) {
  const policy =
    retention === 'compacted'
      ? {
          'cleanup.policy': 'compact',
          // Who is behind by less than this sees every message, not only each key's newest.
          'min.compaction.lag.ms': dayMs / 24,
          // The newest segment is never compacted: a topic with little traffic shall not grow on.
          'segment.ms': dayMs,
        }
      : { 'cleanup.policy': 'delete', 'retention.ms': retention.days * dayMs }
  // A confirmed message is on two brokers, and one of three may be away.
  const configs = { ...policy, 'min.insync.replicas': brokers >= 3 ? 2 : 1 }
  return Object.entries(configs).map(([name, value]) => ({ name, value: String(value) }))
}
