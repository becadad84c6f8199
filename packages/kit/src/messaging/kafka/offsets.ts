import type { Logger } from '../../logging.ts'
import type { StartPosition } from '../../messaging.ts'
import type { Link } from './client.ts'
import { logFault } from './errors.ts'
import type { Position } from './membership.ts'
import { earliest, latest, listOffsets } from './reader.ts'

/**
 * What is noted beside a committed offset about the message there. Kafka does not count deliveries,
 * and a message that ends its process must not be tried for ever.
 */
export type Note = {
  /** Tries that failed, or that ended with the process. */
  attempts: number
  /** Whether somebody has it in hand: found by the next one, that one ended without a word. */
  isOpen: boolean
  /** When it began to fail, in ms since 1970. */
  failingSince?: number | undefined
}

export function parseNote(text: string): Note {
  const [attempts = '', state = '', failingSince] = text.split(' ')
  return {
    attempts: Number.parseInt(attempts, 10) || 0,
    isOpen: state === 'open',
    ...(failingSince && { failingSince: Number(failingSince) }),
  }
}

export function formatNote({ attempts, isOpen, failingSince }: Note): string {
  const parts = [attempts, isOpen ? 'open' : 'free', failingSince ?? []]
  return parts.flat().join(' ')
}

const deadlineMs = 5_000

/** The offsets from which a group begins that has none, by partition. */
export async function startOffsets(
  link: Link,
  topic: string,
  from: StartPosition,
): Promise<bigint[]> {
  return link.insist(async (client) => {
    if (from === 'start') return listOffsets(client, topic, earliest)
    const ends = await listOffsets(client, topic, latest)
    if (from === 'end') return ends
    const since = await listOffsets(client, topic, BigInt(Date.now() - from.sinceMs))
    return ends.map((end, partition) => {
      const offset = since[partition] ?? -1n
      return offset < 0n ? end : offset
    })
  }, deadlineMs)
}

export type Offsets = {
  /** What the next commit says of the partition. */
  set(place: { topic: string; partition: number }, offset: bigint, note: Note): void
  /** Commits what changed; false when that did not work, or no longer matters. */
  flush(): Promise<boolean>
  /** Commits soon, with what comes until then. */
  flushSoon(): void
  stop(): void
}

// A commit costs about as much as handling a message; a crash repeats what came after the last.
const commitEvery = 100
const commitMs = 250

/** Gathers positions into commits, one commit under way at a time. */
export function createOffsets(options: {
  commit(positions: readonly Position[]): Promise<boolean>
  /** The partitions belong to others by now. */
  onLost(): void
  logger: Logger
}): Offsets {
  const { commit, onLost, logger } = options
  const dirty = new Map<string, Position>()
  let changes = 0
  let timer: NodeJS.Timeout | undefined
  let isStopped = false
  let underWay: Promise<boolean> = Promise.resolve(true)
  let next: Promise<boolean> | undefined

  async function commitNow(): Promise<boolean> {
    await underWay
    next = undefined
    clearTimeout(timer)
    timer = undefined
    const positions = [...dirty.values()]
    dirty.clear()
    changes = 0
    underWay = attempt(positions)
    return underWay
  }

  async function attempt(positions: readonly Position[]): Promise<boolean> {
    try {
      if (await commit(positions)) return true
      onLost()
    } catch (error) {
      logFault(logger, error, 'offsets could not be committed')
      for (const position of positions) {
        const key = toKey(position)
        if (!dirty.has(key)) dirty.set(key, position)
      }
      later()
    }
    return false
  }

  function later(): void {
    if (isStopped) return
    timer ??= setTimeout(flush, commitMs)
  }

  function flush(): Promise<boolean> {
    next ??= commitNow()
    return next
  }

  return {
    flush,
    set({ topic, partition }, offset, note) {
      const position = { topic, partition, offset, note: formatNote(note) }
      dirty.set(toKey(position), position)
      changes += 1
      if (changes === commitEvery) flush()
      else later()
    },
    flushSoon() {
      if (dirty.size > 0) flush()
    },
    stop() {
      isStopped = true
      clearTimeout(timer)
    },
  }
}

function toKey({ topic, partition }: { topic: string; partition: number }): string {
  return `${topic}:${partition}`
}
