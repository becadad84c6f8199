import { setTimeout as pause } from 'node:timers/promises'
import type { RecordsBatch } from '@platformatic/kafka'

/** A record as it was read; the value of a tombstone is null. */
export type Inbound = { topic: string; partition: number; offset: bigint; value: Buffer | null }

export type Place = { topic: string; partition: number; offset: bigint }

/** What is read of one partition, a bounded step ahead of who takes it. */
export type Feed = {
  readonly topic: string
  readonly partition: number
  /** The next record; undefined once the signal aborts, or where the next one is not before `end`. */
  take(signal: AbortSignal, end?: bigint): Promise<Inbound | undefined>
  /** Whether nothing is at hand right now. */
  isIdle(): boolean
  close(): void
}

/** The reader's side of a feed. */
export type Inlet = Feed & {
  /** Where reading goes on. */
  position(): bigint
  push(batches: readonly RecordsBatch[]): void
  isHungry(): boolean
  restartAt(offset: bigint): void
}

// A partition with fewer records at hand is read on: the next ones arrive while these are handled.
const lowWater = 100
const isControl = 1 << 5

/** Resolves after the delay, or as soon as the signal aborts. */
export async function pauseUnless(signal: AbortSignal, delayMs: number): Promise<void> {
  const isAborted = () => signal.aborted
  await pause(delayMs, undefined, { signal }).catch((error: unknown) => {
    if (!isAborted()) throw error
  })
}

export function createFeed(
  { topic, partition, offset }: Place,
  { onHungry, onClose }: { onHungry(): void; onClose(): void },
): Inlet {
  const records: Inbound[] = []
  let position = offset
  let change = Promise.withResolvers<void>()

  function notify(): void {
    change.resolve()
    change = Promise.withResolvers()
  }

  async function untilChange(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', notify, { once: true })
    await change.promise
    signal.removeEventListener('abort', notify)
  }

  return {
    topic,
    partition,
    position: () => position,
    isIdle: () => records.length === 0,
    isHungry: () => records.length < lowWater,
    close: onClose,
    async take(signal, end) {
      while (!signal.aborted) {
        const [next] = records
        if (end !== undefined && (next?.offset ?? position) >= end) return undefined
        if (next) {
          records.shift()
          if (records.length === lowWater - 1) onHungry()
          return next
        }
        await untilChange(signal)
      }
      return undefined
    },
    push(batches) {
      for (const batch of batches) {
        const { firstOffset, lastOffsetDelta, attributes } = batch
        for (const { offsetDelta, value } of (attributes & isControl) === 0 ? batch.records : []) {
          const at = firstOffset + BigInt(offsetDelta)
          // A batch is sent whole, what was read of it before included.
          if (at >= position) records.push({ topic, partition, offset: at, value })
        }
        const next = firstOffset + BigInt(lastOffsetDelta) + 1n
        if (next > position) position = next
      }
      if (batches.length > 0) notify()
    },
    restartAt(at) {
      position = at
      notify()
    },
  }
}
