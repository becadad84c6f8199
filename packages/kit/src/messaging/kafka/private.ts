import { attemptDelivery, createReplayer, isFinal, type Limits } from '../../delivery.ts'
import type { Logger } from '../../logging.ts'
import { jitteredDelayMs } from '../../loop.ts'
import type { Handler, Message, StartPosition, TopicReplay } from '../../messaging.ts'
import { messagesUnavailable } from '../unavailable.ts'
import type { Connector } from './client.ts'
import { logFault } from './errors.ts'
import { type Feed, pauseUnless } from './feed.ts'
import type { Consumer } from './group.ts'
import { startOffsets } from './offsets.ts'
import { parseMessage } from './partition.ts'
import { createReader, earliest, latest, listOffsets, type Reader } from './reader.ts'
import type { TopicRegistry } from './topics.ts'

export type PrivateOptions = {
  connector: Connector
  registry: TopicRegistry
  topic: string
  from: StartPosition
  handler: Handler
  limits: Limits
  logger: Logger
  givingUp: AbortSignal
}

// The broker's own outage; short, because its return should be noticed soon.
const backoff = { baseMs: 100, maxMs: 1_000 }

/**
 * A private subscription: this process reads every partition, without a group, from positions in
 * memory. What it feeds lives in memory too, so a message that fails for good is passed over.
 */
export function createPrivateConsumer(options: PrivateOptions): Consumer {
  const { connector, registry, topic, from, limits, handler, logger, givingUp } = options
  const { promise: ready, resolve: setReady } = Promise.withResolvers<void>()
  const stopping = new AbortController()
  const link = connector.open('private')
  let reader: Reader | undefined
  let finished: Promise<unknown> = Promise.resolve()

  async function findStarts(): Promise<bigint[] | undefined> {
    for (let failures = 1; !stopping.signal.aborted; failures += 1) {
      try {
        await registry.ensure(topic)
        return await startOffsets(link, topic, from)
      } catch (error) {
        logFault(logger, error, 'the start of a subscription could not be found')
      }
      await pauseUnless(stopping.signal, jitteredDelayMs(backoff, failures))
    }
    return undefined
  }

  async function deliver(message: Message): Promise<void> {
    const { deadlineMs } = limits
    const failingSince = performance.now()
    let attempts = 0
    for (let failures = 1; ; failures += 1) {
      const attempt = attempts + 1
      const trial = { handler, message, attempt, deadlineMs }
      const outcome = await attemptDelivery({ ...trial, stopping: givingUp })
      if (outcome === 'done' || givingUp.aborted) return
      if (outcome.verdict !== 'outage') attempts = attempt
      const fields = { topic, messageId: message.id, code: outcome.failure.code }
      const failingForMs = performance.now() - failingSince
      if (isFinal(outcome, { attempts, failingForMs }, limits)) {
        logger.error(fields, 'a message was passed over')
        return
      }
      logger.warn(fields, 'a message will be retried')
      await pauseUnless(stopping.signal, jitteredDelayMs(limits.backoff, failures))
      if (stopping.signal.aborted) return
    }
  }

  async function consume(feed: Feed): Promise<void> {
    for (;;) {
      const record = await feed.take(stopping.signal)
      if (record === undefined) return
      const message = parseMessage(record)
      if (message) await deliver(message)
    }
  }

  async function live(): Promise<void> {
    const starts = await findStarts()
    if (starts === undefined) return
    const opened = createReader(link, logger)
    reader = opened
    setReady()
    const feeds = starts.map((offset, partition) => opened.open({ topic, partition, offset }))
    await Promise.all(feeds.map(consume))
  }

  return {
    ready,
    start() {
      finished = live()
    },
    async stop() {
      stopping.abort()
      await finished
      await reader?.close()
      await link.close()
    },
  }
}

const readDeadlineMs = 5_000
// A replay is under somebody's eyes: a broker that gives nothing for so long is away.
const stalledAfterMs = 15_000

/** Implements `Topics.replayTopic`: from the start to the end that the topic has now. */
export async function replayTopic(
  connector: Connector,
  replay: TopicReplay,
  givingUp: AbortSignal,
): Promise<number> {
  const { topic } = replay
  const link = connector.open('replay')
  const reader = createReader(link, connector.logger)
  const over = new AbortController()
  const replayMessage = createReplayer(replay, AbortSignal.any([givingUp, over.signal]))
  let count = 0

  async function replayPartition(feed: Feed, end: bigint): Promise<void> {
    for (;;) {
      const stalled = setTimeout(() => over.abort(messagesUnavailable()), stalledAfterMs)
      const record = await feed.take(over.signal, end)
      clearTimeout(stalled)
      over.signal.throwIfAborted()
      if (record === undefined) return
      const message = parseMessage(record)
      if (message === undefined) continue
      await replayMessage(message)
      count += 1
    }
  }

  try {
    const [starts, ends] = await link.insist(async (client) => {
      const find = (time: bigint) => listOffsets(client, topic, time)
      return [await find(earliest), await find(latest)]
    }, readDeadlineMs)
    const parts = ends.map((end, partition) => {
      const offset = starts[partition] ?? end
      return replayPartition(reader.open({ topic, partition, offset }), end)
    })
    await Promise.all(parts).finally(() => over.abort(new Error('The replay is over.')))
    return count
  } finally {
    await reader.close()
  }
}
