import type { Logger } from '@halles/kit/logging'
import type { Messaging, MessagingStats } from '@halles/kit/messaging'
import type { Metrics } from '@halles/kit/metrics'

// Shorter than the time that a scrape may take; a broker that is away must not cost the rest of it.
const deadlineMs = 2_000

type Value = { labels: Record<string, string>; value: number }

/** Tells of every queue and topic of the platform at each scrape; each gateway tells the same. */
export function measureMessaging(options: {
  metrics: Metrics
  messaging: Messaging
  logger: Logger
}): void {
  const { metrics, messaging, logger } = options
  const ask = shareWhileAsked(() => withinDeadline(messaging.stats()))
  const gauge = (
    about: { name: string; help: string; labels?: readonly string[] },
    read: (stats: MessagingStats) => Value[],
  ) =>
    metrics.gauge({
      ...about,
      async collect(each) {
        try {
          const values = read(await ask())
          each.reset()
          for (const { labels, value } of values) each.set(labels, value)
        } catch (error) {
          // What was known is not true any more; the rest of the scrape is worth having.
          each.reset()
          if (about.labels === undefined) each.set(Number.NaN)
          logger.debug({ error }, 'The brokers did not tell of their messages.')
        }
      },
    })

  gauge(
    {
      name: 'messages_dead_letters',
      help: 'Messages that a consumer has given up, of all queues and topics.',
    },
    ({ deadLetters }) => [{ labels: {}, value: deadLetters }],
  )
  gauge(
    {
      name: 'messages_topic_lag',
      help: 'Events that a group has not applied yet.',
      labels: ['topic', 'group'],
    },
    ({ topics }) =>
      topics.map(({ topic, group, lag: value }) => ({ labels: { topic, group }, value })),
  )
  gauge(
    { name: 'messages_queue_depth', help: 'Commands that wait in a queue.', labels: ['queue'] },
    ({ queues }) => queues.map(({ queue, depth: value }) => ({ labels: { queue }, value })),
  )
  gauge(
    {
      name: 'messages_queue_oldest_age_seconds',
      help: 'How long the first command of a queue has waited, where the broker tells.',
      labels: ['queue'],
    },
    ({ queues }) =>
      queues.flatMap(({ queue, oldestAgeSeconds: value }) =>
        value === undefined ? [] : [{ labels: { queue }, value }],
      ),
  )
}

/** The gauges of one scrape have one question to the brokers. */
function shareWhileAsked<T>(ask: () => Promise<T>): () => Promise<T> {
  let current: Promise<T> | undefined
  return () => {
    current ??= ask().finally(() => {
      current = undefined
    })
    return current
  }
}

async function withinDeadline<T>(work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error('It took too long.')), deadlineMs)
  try {
    return await Promise.race([work, late.promise])
  } finally {
    clearTimeout(timer)
  }
}
