import type { AsyncMessage, Channel } from 'rabbitmq-client'
import type { Logger } from '../../logging.ts'
import { createLoop, jitteredDelayMs } from '../../loop.ts'
import { withDeadline } from '../unavailable.ts'
import { answerDeadlineMs, type Link } from './link.ts'
import type { Topology } from './topology.ts'

export type Subscriber = {
  link: Link
  topology: Topology
  queue: string
  logger: Logger
  onDelivery(delivery: AsyncMessage, channel: Channel): void
  /**
   * What was quiet for as long subscribes anew: a broker (3.10) whose queue is deleted and declared
   * again within a moment keeps the consumer, assigns messages to it and delivers none of them.
   */
  idleMs: number
  /** Whether nothing that came over the channel is still in hand. */
  isIdle(): boolean
  /** The channel is gone, and with it the right to acknowledge what came over it. */
  onLost(): void
}

/** A channel with consumers of one queue on it, opened again whenever it is lost. */
export type QueueSubscription = {
  /** Resolves when the broker knows of it for the first time. */
  ready: Promise<void>
  start(): void
  /** How many unacknowledged messages the broker may have here. Begins at 1 with each channel. */
  setCapacity(capacity: number): void
  /** Takes no more messages; those in hand can still be acknowledged. */
  cancel(): Promise<void>
  /** Gives back what was not acknowledged. */
  close(): Promise<void>
}

// Short, because the broker's return should be noticed soon.
const backoff = { baseMs: 100, maxMs: 1_000 }

export function createSubscription(options: Subscriber): QueueSubscription {
  const { link, topology, queue, logger, idleMs, onDelivery, onLost, isIdle } = options
  const { promise: ready, resolve: setReady } = Promise.withResolvers<void>()
  let channel: Channel | undefined
  let consumers: { tag: string; size: number }[] = []
  let capacity = 1
  let failures = 0
  let lastDeliveryMs = 0
  let lastResize: Promise<void> = Promise.resolve()

  async function addConsumer(open: Channel, size: number): Promise<void> {
    // Both at once: the limit is that of the consumer which is asked for next on the channel.
    const limited = open.basicQos({ prefetchCount: size })
    const consumed = open.basicConsume({ queue }, (delivery) => {
      lastDeliveryMs = performance.now()
      onDelivery(delivery, open)
    })
    const both = Promise.all([consumed, limited])
    const [{ consumerTag: tag }] = await withDeadline(both, answerDeadlineMs)
    consumers.push({ tag, size })
  }

  /** A consumer's limit cannot be changed: there are more of them, or fewer. */
  async function resize(): Promise<void> {
    const open = channel
    if (!open?.active) return
    const size = consumers.reduce((sum, consumer) => sum + consumer.size, 0)
    if (size < capacity) return addConsumer(open, capacity - size)
    const last = consumers.at(-1)
    if (last === undefined || size - last.size < capacity) return
    consumers.pop()
    await withDeadline(open.basicCancel(last.tag), answerDeadlineMs)
    return resize()
  }

  async function subscribe(): Promise<void> {
    await topology.ensureQueue(queue)
    const open = await link.open()
    consumers = []
    capacity = 1
    channel = open
    lastDeliveryMs = performance.now()
    open.on('close', () => {
      if (channel !== open) return
      channel = undefined
      // Whatever took the channel may have taken the queue.
      topology.forget(queue)
      onLost()
      loop.wake()
    })
    open.on('basic.cancel', () => {
      // Told once for each consumer on it.
      if (!open.active) return
      logger.warn({ queue }, 'the broker ended the consumption of a queue')
      void open.close()
    })
    const first = lastResize.then(() => addConsumer(open, 1))
    lastResize = first.catch(() => undefined)
    try {
      await first
    } catch (error) {
      void open.close()
      throw error
    }
  }

  /** Takes no more messages over the channel. */
  async function leave(open: Channel): Promise<void> {
    const tags = consumers.map(({ tag }) => tag)
    consumers = []
    const cancelled = Promise.all(tags.map((tag) => open.basicCancel(tag)))
    try {
      await withDeadline(Promise.all([cancelled, lastResize]), answerDeadlineMs)
    } catch (error) {
      // A channel that was lost is left, too.
      if (open.active) throw error
    }
  }

  /** Closes a channel over which nothing came for long, unless something comes right now. */
  async function leaveIfIdle(open: Channel): Promise<boolean> {
    if (!isIdle() || performance.now() - lastDeliveryMs < idleMs) return false
    await leave(open)
    if (!isIdle()) {
      lastResize = lastResize.then(resize)
      await lastResize
      return false
    }
    await open.close()
    return true
  }

  const loop = createLoop({
    name: `queue ${queue}`,
    logger,
    backoff,
    async round() {
      try {
        if (channel?.active && !(await leaveIfIdle(channel))) return idleMs
        await subscribe()
      } catch (error) {
        failures += 1
        // Once per absence, however long it is.
        if (failures === 1) logger.warn({ err: error, queue }, 'a queue cannot be consumed')
        return jitteredDelayMs(backoff, failures)
      }
      if (failures > 0) logger.info({ queue }, 'a queue is consumed again')
      failures = 0
      setReady()
      return idleMs
    },
  })
  link.onUp(loop.wake)

  return {
    ready,
    start: loop.start,
    setCapacity(wanted) {
      capacity = wanted
      const open = channel
      lastResize = lastResize.then(resize).catch((error: unknown) => {
        // A channel that was lost begins anew; one that lives is in doubt and has to.
        if (!open?.active) return
        logger.warn({ err: error, queue }, 'a consumer could not be added or removed')
        void open.close()
      })
    },
    async cancel() {
      await loop.stop()
      capacity = 0
      if (channel?.active) await leave(channel)
    },
    async close() {
      if (channel) await withDeadline(channel.close(), answerDeadlineMs)
    },
  }
}
