import type { Channel, Connection } from 'rabbitmq-client'
import type { Logger } from '../../logging.ts'
import { messagesUnavailable, withDeadline } from '../unavailable.ts'

/** One connection to the broker, made at its first use and again whenever it is lost. */
export type Link = {
  /** A new channel, the caller's to close. Throws `MESSAGES_UNAVAILABLE`, at once while away. */
  open(): Promise<Channel>
  /** Calls back whenever the connection is up, the first time included. */
  onUp(listener: () => void): void
  /** Closes what is left open on it. */
  close(): Promise<void>
}

// Longer than the answer of a loaded broker takes, shorter than any caller's own deadline.
export const answerDeadlineMs = 5_000
// Two missed beats are a dead peer: a broker that vanished without a word is noticed in 20 s.
const heartbeatSeconds = 10
// Its return should be noticed soon, and a broker that starts is not to be stormed.
const reconnect = { retryLow: 100, retryHigh: 2_000 }
// A channel for publishing, one per consumer and one for each declaration under way.
const maxChannels = 200
// The broker's own default: the headers of a message with its history have to fit into one.
const frameMax = 131_072

/** Opens a {@link Link}. The client is loaded when it is needed, and by nobody else. */
export function createLink(options: { url: string; name: string; logger: Logger }): Link {
  const { url, name, logger } = options
  const listeners: (() => void)[] = []
  let connection: Promise<Connection> | undefined
  let isClosed = false
  let isAway = false
  let away = createAlarm()

  function setAway(error: unknown): void {
    if (!isAway && !isClosed) {
      logger.warn({ err: error, connection: name }, 'the queue broker is away')
    }
    isAway = true
    away.ring(error)
  }

  function setUp(): void {
    if (isAway) logger.info({ connection: name }, 'the queue broker is back')
    isAway = false
    away = createAlarm()
    for (const listener of listeners) listener()
  }

  async function connect(): Promise<Connection> {
    const rabbitmq = await import('rabbitmq-client')
    const made = new rabbitmq.Connection({
      url,
      connectionName: name,
      heartbeat: heartbeatSeconds,
      connectionTimeout: answerDeadlineMs,
      acquireTimeout: answerDeadlineMs,
      maxChannels,
      frameMax,
      // Commands are few and waited for: latency counts, not the number of packets.
      noDelay: true,
      ...reconnect,
    })
    made.on('error', (error: { code?: unknown }) => {
      // Of a channel that the broker closed: whoever uses it hears of it by its `close`.
      if (made.ready) logger.warn({ err: error, connection: name }, 'the queue broker objects')
      else setAway(error)
    })
    made.on('connection', setUp)
    made.on('connection.blocked', (reason) => {
      logger.warn({ connection: name, reason }, 'the queue broker takes no messages for now')
    })
    made.on('connection.unblocked', () => {
      logger.info({ connection: name }, 'the queue broker takes messages again')
    })
    return made
  }

  async function acquire(made: Connection): Promise<Channel> {
    const acquired = made.acquire()
    try {
      return await withDeadline(Promise.race([acquired, away.rang]), answerDeadlineMs)
    } catch (error) {
      // It may come yet, when nobody waits for it any more.
      acquired.then(
        (channel) => channel.close(),
        () => undefined,
      )
      throw messagesUnavailable(error)
    }
  }

  return {
    async open() {
      if (isClosed) throw messagesUnavailable(new Error('The process is stopping.'))
      connection ??= connect()
      const made = await connection
      if (isAway) throw messagesUnavailable(new Error('The connection is being made again.'))
      return acquire(made)
    },
    onUp: (listener) => void listeners.push(listener),
    async close() {
      isClosed = true
      if (connection === undefined) return
      const made = await connection
      // Polite closing waits for every channel; one that hangs must not hold up the process.
      try {
        await withDeadline(made.close(), closeDeadlineMs)
      } catch (error) {
        logger.warn({ err: error, connection: name }, 'the queue broker was left without a word')
        made.unsafeDestroy()
      }
    },
  }
}

const closeDeadlineMs = 1_000

/** Rejects once it is rung, for those who wait at that time. */
function createAlarm() {
  const { promise: rang, reject: ring } = Promise.withResolvers<never>()
  // Most of the time nobody waits.
  rang.catch(() => undefined)
  return { rang, ring }
}

/** Runs some calls on a channel of their own, closed afterwards; each has to be answered in time. */
export async function onChannel<T>(link: Link, work: (channel: Channel) => Promise<T>): Promise<T> {
  const channel = await link.open()
  try {
    return await withDeadline(work(channel), answerDeadlineMs)
  } finally {
    // Nobody waits for it: a channel that the broker closed already, or never will, is as good.
    void channel.close()
  }
}

/** The AMQP name of what went wrong, as `PRECONDITION_FAILED` or `NOT_FOUND`. */
export function amqpCode(error: unknown): string | undefined {
  if (!(error instanceof Error && 'code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}
