import type { Channel, Envelope, ReturnedMessage } from 'rabbitmq-client'
import { AppError } from '../../errors.ts'
import { messagesUnavailable, withDeadline } from '../unavailable.ts'
import { answerDeadlineMs, type Link } from './link.ts'

/** A message as it goes over the wire, with an id of its own to know it again by. */
export type Parcel = Envelope & {
  exchange: string
  routingKey: string
  messageId: string
  body: Buffer
}

/** Publishing that is only done when the broker has it on disk. */
export type ConfirmedPublisher = {
  /**
   * Resolves when every parcel reached a queue and was confirmed. Throws `MESSAGES_UNAVAILABLE`;
   * then any part of them may or may not be stored.
   */
  send(parcels: readonly Parcel[]): Promise<void>
  close(): Promise<void>
}

// Longer than a new leader of a quorum queue takes, shorter than who waits for it would hang on.
const confirmDeadlineMs = 8_000
// Bounds the memory here and in the broker's channel; more in flight is not faster.
const maxInFlight = 1_000

/**
 * Publishes durable messages, mandatory and confirmed, over one channel in the order given.
 * @param onDoubt called when a queue or exchange may be gone: what was declared is in doubt.
 */
export function createConfirmedPublisher(link: Link, onDoubt: () => void): ConfirmedPublisher {
  const inFlight = new Set<{ messageId: string; isReturned: boolean }>()
  const room = createRoom(maxInFlight)
  let channel: Promise<Channel> | undefined

  async function openChannel(): Promise<Channel> {
    const opened = await link.open()
    opened.on('close', () => {
      channel = undefined
      onDoubt()
    })
    opened.on('basic.return', ({ messageId }: ReturnedMessage) => {
      onDoubt()
      for (const item of inFlight) if (item.messageId === messageId) item.isReturned = true
    })
    await withDeadline(opened.confirmSelect(), answerDeadlineMs)
    return opened
  }

  function useChannel(): Promise<Channel> {
    channel ??= openChannel().catch((error: unknown) => {
      channel = undefined
      throw error
    })
    return channel
  }

  async function confirm(open: Channel, parcels: readonly Parcel[]): Promise<void> {
    const items = parcels.map(({ messageId }) => ({ messageId, isReturned: false }))
    for (const item of items) inFlight.add(item)
    try {
      await Promise.all(
        parcels.map(({ body, ...envelope }) =>
          open.basicPublish({ ...envelope, durable: true, mandatory: true }, body),
        ),
      )
      // The client tells of a return one turn of the event loop after it resolves the confirmation.
      await new Promise((resolve) => setImmediate(resolve))
      const lost = items.find(({ isReturned }) => isReturned)
      if (lost) throw new Error(`The message ${lost.messageId} reached no queue.`)
    } finally {
      for (const item of items) inFlight.delete(item)
    }
  }

  async function sendSome(parcels: readonly Parcel[]): Promise<void> {
    await room.enter(parcels.length)
    try {
      const open = await useChannel()
      try {
        await withDeadline(confirm(open, parcels), confirmDeadlineMs)
      } catch (error) {
        // What was not confirmed by now is told apart from what comes next by a channel of its own.
        if (error instanceof AppError) void open.close()
        throw error
      }
    } finally {
      room.leave(parcels.length)
    }
  }

  return {
    async send(parcels) {
      try {
        for (let at = 0; at < parcels.length; at += maxInFlight) {
          await sendSome(parcels.slice(at, at + maxInFlight))
        }
      } catch (error) {
        throw error instanceof AppError ? error : messagesUnavailable(error)
      }
    },
    async close() {
      const open = channel
      channel = undefined
      if (open) await withDeadline((await open).close(), answerDeadlineMs)
    },
  }
}

/** Lets in so many at once, in the order of asking. */
function createRoom(size: number) {
  const waiting: { count: number; enter: () => void }[] = []
  let taken = 0

  function letIn(): void {
    for (let next = waiting[0]; next && taken + next.count <= size; next = waiting[0]) {
      taken += next.count
      next.enter()
      waiting.shift()
    }
  }

  return {
    enter: (count: number) =>
      new Promise<void>((resolve) => {
        waiting.push({ count, enter: resolve })
        letIn()
      }),
    leave(count: number): void {
      taken -= count
      letIn()
    },
  }
}
