import { AppError } from '../errors.ts'
import { isUuid, uuidv7 } from '../ids.ts'
import type { Logger } from '../logging.ts'
import type { DeadLetter, DeadLetterFilter, DeadLetterSummary, DeadLetters } from '../messaging.ts'
import { withDeadline } from './unavailable.ts'

export type DeadLetterEntry =
  | { kind: 'letter'; letter: DeadLetter }
  | {
      kind: 'resolved'
      id: string
      how: 'replayed' | 'discarded'
      reason?: string
      at: string
    }
  /** Appended by a reader that wants to know that it has read up to here. */
  | { kind: 'mark'; id: string }

/** An append-only log of dead letters and of what became of them, kept by the broker itself. */
export type DeadLetterLog = {
  /** Resolves when the entry is stored durably; throws `MESSAGES_UNAVAILABLE`. */
  append(entry: DeadLetterEntry): Promise<void>
  /**
   * Reads from the first entry on, for ever. `onRestart` is called before it begins again at the
   * first one, after a reconnect. Throws `MESSAGES_UNAVAILABLE`.
   */
  follow(
    onEntry: (entry: DeadLetterEntry) => void,
    onRestart: () => void,
  ): Promise<{ stop(): Promise<void> }>
}

export type DeadLetterIndexOptions = {
  log: DeadLetterLog
  /** Gives the message back to its queue, or to the one group of the topic that failed on it. */
  redeliver(letter: DeadLetter): Promise<void>
  logger: Logger
  /** How many letters are kept in memory; beyond, the oldest are forgotten. Default 5,000. */
  maxLetters?: number
}

export type DeadLetterIndex = DeadLetters & {
  /** How many letters wait for an operator, those that memory had no room for included. */
  count(): Promise<number>
  stop(): Promise<void>
}

// Longer than reading some thousand letters takes, shorter than an operator's patience.
const readDeadlineMs = 5_000

function letterNotFound(): AppError {
  return new AppError('not-found', 'DEAD_LETTER_NOT_FOUND', 'There is no such dead letter.')
}

function unknownCursor(): AppError {
  return new AppError('invalid', 'INVALID_REQUEST', 'The request has fields that cannot be used.', {
    errors: [{ pointer: '/query/cursor', detail: 'is not a cursor of this list' }],
  })
}

function toSummary({ history: _history, message, ...letter }: DeadLetter): DeadLetterSummary {
  const { data: _data, ...envelope } = message
  return { ...letter, message: envelope }
}

function matches(letter: DeadLetter, filter: DeadLetterFilter): boolean {
  const { cursor, service, type, failedBefore, failedAfter } = filter
  const failedAt = Date.parse(letter.failedAt)
  return (
    (cursor === undefined || letter.id < cursor) &&
    (service === undefined || letter.service === service) &&
    (type === undefined || letter.message.type === type) &&
    (failedBefore === undefined || failedAt < failedBefore.getTime()) &&
    (failedAfter === undefined || failedAt >= failedAfter.getTime())
  )
}

/** The letters that the log leaves open. */
function createOpenLetters(logger: Logger, maxLetters: number) {
  const letters = new Map<string, DeadLetter>()
  const idsByMessage = new Map<string, string>()
  let forgotten = 0

  function toKey({ address, group, message }: DeadLetter): string {
    return JSON.stringify([address.kind, address.name, group, message.id])
  }

  function remove(letter: DeadLetter): void {
    letters.delete(letter.id)
    const key = toKey(letter)
    if (idsByMessage.get(key) === letter.id) idsByMessage.delete(key)
  }

  function add(letter: DeadLetter): void {
    // A crash between burying and acknowledging buries the same message again.
    const twin = letters.get(idsByMessage.get(toKey(letter)) ?? '')
    if (twin && twin.id > letter.id) return
    if (twin) remove(twin)
    letters.set(letter.id, letter)
    idsByMessage.set(toKey(letter), letter.id)
    if (letters.size <= maxLetters) return
    // A Map keeps the order of insertion, which is that of the log.
    const [oldest] = letters.values()
    if (oldest) remove(oldest)
    if (forgotten === 0)
      logger.error({ maxLetters }, 'there are more dead letters than can be shown')
    forgotten += 1
  }

  return {
    letters,
    count: () => letters.size + forgotten,
    apply(entry: DeadLetterEntry): void {
      if (entry.kind === 'letter') add(entry.letter)
      if (entry.kind !== 'resolved') return
      const letter = letters.get(entry.id)
      if (letter) remove(letter)
      else if (forgotten > 0) forgotten -= 1
    },
    clear(): void {
      letters.clear()
      idsByMessage.clear()
      forgotten = 0
    },
  }
}

/**
 * Dead letters over a log that can only be appended to and read: what the log leaves open is kept
 * in memory. Reads the log from the first question on, so that who never asks never reads it.
 */
export function createDeadLetterIndex(options: DeadLetterIndexOptions): DeadLetterIndex {
  const { log, redeliver, logger, maxLetters = 5_000 } = options
  const open = createOpenLetters(logger, maxLetters)
  const marks = new Map<string, () => void>()
  let following: ReturnType<DeadLetterLog['follow']> | undefined
  let caughtUp: Promise<void> | undefined
  let lastResolution: Promise<unknown> = Promise.resolve()

  function follow(): ReturnType<DeadLetterLog['follow']> {
    function onEntry(entry: DeadLetterEntry): void {
      if (entry.kind === 'mark') marks.get(entry.id)?.()
      else open.apply(entry)
    }
    function onRestart(): void {
      open.clear()
      caughtUp = undefined
    }
    following ??= log.follow(onEntry, onRestart).catch((error: unknown) => {
      following = undefined
      throw error
    })
    return following
  }

  /** Reads up to what is in the log by now. */
  async function catchUp(): Promise<void> {
    const id = uuidv7()
    const { promise: isRead, resolve } = Promise.withResolvers<void>()
    marks.set(id, resolve)
    try {
      const work = follow()
        .then(() => log.append({ kind: 'mark', id }))
        .then(() => isRead)
      await withDeadline(work, readDeadlineMs)
    } finally {
      marks.delete(id)
    }
  }

  /** Once caught up the index stays so by itself, until the reading begins anew. */
  function becomeReady(): Promise<void> {
    if (caughtUp) return caughtUp
    const attempt = catchUp().catch((error: unknown) => {
      if (caughtUp === attempt) caughtUp = undefined
      throw error
    })
    caughtUp = attempt
    return attempt
  }

  function find(id: string): DeadLetter {
    const letter = open.letters.get(id)
    if (letter === undefined) throw letterNotFound()
    return letter
  }

  /** One at a time, each after reading what other processes resolved in the meantime. */
  function resolveLetter(id: string, how: (letter: DeadLetter) => Promise<DeadLetterEntry>) {
    async function resolveNow(): Promise<void> {
      if (!isUuid(id)) throw letterNotFound()
      await catchUp()
      const entry = await how(find(id))
      await log.append(entry)
      open.apply(entry)
    }
    const resolution = lastResolution.then(resolveNow)
    // The failure is thrown to its caller; the next resolution only waits its turn.
    lastResolution = resolution.then(
      () => undefined,
      () => undefined,
    )
    return resolution
  }

  return {
    async list(filter) {
      if (filter.cursor !== undefined && !isUuid(filter.cursor)) throw unknownCursor()
      await becomeReady()
      const found = [...open.letters.values()]
        .filter((letter) => matches(letter, filter))
        .sort((a, b) => (a.id < b.id ? 1 : -1))
      const items = found.slice(0, filter.limit).map(toSummary)
      return { items, nextCursor: found.length > items.length ? items.at(-1)?.id : undefined }
    },
    async get(id) {
      if (!isUuid(id)) throw letterNotFound()
      await becomeReady()
      return find(id)
    },
    async replay(id) {
      await resolveLetter(id, async (letter) => {
        await redeliver(letter)
        return { kind: 'resolved', id, how: 'replayed', at: new Date().toISOString() }
      })
      logger.info({ deadLetterId: id }, 'a dead letter was replayed')
    },
    async discard(id, reason) {
      await resolveLetter(id, async () => {
        return { kind: 'resolved', id, how: 'discarded', reason, at: new Date().toISOString() }
      })
      logger.info({ deadLetterId: id, reason }, 'a dead letter was discarded')
    },
    async count() {
      await becomeReady()
      return open.count()
    },
    async stop() {
      await lastResolution
      if (following === undefined) return
      try {
        await (await withDeadline(following, readDeadlineMs)).stop()
      } catch (error) {
        logger.warn({ err: error }, 'the log of dead letters could not be left in order')
      }
    },
  }
}

const entryKinds: readonly unknown[] = ['letter', 'resolved', 'mark']

/** Reads an entry as it is kept, in JSON; undefined for what is none, put there by hand. */
export function parseDeadLetterEntry(text: string): DeadLetterEntry | undefined {
  try {
    const entry = JSON.parse(text) as Partial<DeadLetterEntry> | null
    if (typeof entry !== 'object' || entry === null) return undefined
    if (!entryKinds.includes(entry.kind)) return undefined
    const known = entry as DeadLetterEntry
    if (known.kind !== 'letter') return typeof known.id === 'string' ? known : undefined
    const { letter } = known
    const isLetter = isUuid(letter.id) && typeof letter.message.id === 'string'
    return isLetter && typeof letter.address.name === 'string' ? known : undefined
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return undefined
    throw error
  }
}
