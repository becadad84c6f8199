import { LRUCache } from 'lru-cache'

/** An answer held ready to be sent again. Times are on the monotonic clock, in milliseconds. */
export type CachedAnswer = {
  readonly body: Buffer
  readonly contentType: string
  readonly etag: string
  /** Whether the service knows the entity tag, so that it can be asked for what is newer. */
  readonly isEtagOfService: boolean
  readonly tags: readonly string[]
  readonly storedAtMs: number
  /** Answered without asking until then. */
  readonly freshUntilMs: number
  /** Answered at once and refreshed behind the shopper's back until then. */
  readonly staleUntilMs: number
  /** Answered, marked as stale, while the service cannot be reached, until then. */
  readonly errorUntilMs: number
}

export type Cache = {
  get(key: string): CachedAnswer | undefined
  /** A mark to take before asking the service; see {@link Cache.put}. */
  mark(): number
  /**
   * Stores an answer, unless one of its tags was purged since the mark: then the answer may show
   * what was before the change. Returns whether it was stored.
   */
  put(key: string, answer: CachedAnswer, mark: number): boolean
  /** Whether none of the tags was purged since the mark. */
  isCurrent(tags: readonly string[], mark: number): boolean
  /** Drops every answer with the tag; returns how many. */
  purge(tag: string): number
  /** Drops everything: after a gap in the events, nothing can be trusted. */
  clear(): void
  stats(): { entries: number; bytes: number }
}

// Purges are remembered for as long as an answer may be under way; far more tags than that can be
// purged in that time are never seen. Beyond it the oldest is forgotten and counts as purged.
const rememberedPurges = 20_000
// What an entry costs beside its body: key, tags, index.
const overheadBytes = 512

/**
 * A cache of public answers with tags, bounded in bytes.
 * @param options.maxBytes bodies and overhead together.
 */
export function createCache(options: { maxBytes: number }): Cache {
  const keysByTag = new Map<string, Set<string>>()
  const purges = new Map<string, number>()
  let sequence = 0
  let forgottenUpTo = 0

  const answers = new LRUCache<string, CachedAnswer>({
    maxSize: options.maxBytes,
    maxEntrySize: Math.max(1, Math.floor(options.maxBytes / 16)),
    sizeCalculation: ({ body }) => body.length + overheadBytes,
    dispose: (answer, key) => unlink(answer, key),
  })

  function unlink(answer: CachedAnswer, key: string): void {
    for (const tag of answer.tags) {
      const keys = keysByTag.get(tag)
      keys?.delete(key)
      if (keys?.size === 0) keysByTag.delete(tag)
    }
  }

  function rememberPurge(tag: string): void {
    sequence += 1
    purges.delete(tag)
    purges.set(tag, sequence)
    if (purges.size <= rememberedPurges) return
    const oldest = purges.entries().next().value
    if (oldest) {
      purges.delete(oldest[0])
      forgottenUpTo = oldest[1]
    }
  }

  function isCurrent(tags: readonly string[], mark: number): boolean {
    return mark >= forgottenUpTo && tags.every((tag) => (purges.get(tag) ?? 0) <= mark)
  }

  return {
    get: (key) => answers.get(key),
    mark: () => sequence,
    isCurrent,
    put(key, answer, mark) {
      if (!isCurrent(answer.tags, mark)) return false
      answers.set(key, answer)
      if (!answers.has(key)) return false
      for (const tag of answer.tags) {
        const keys = keysByTag.get(tag) ?? new Set()
        keys.add(key)
        keysByTag.set(tag, keys)
      }
      return true
    },
    purge(tag) {
      rememberPurge(tag)
      const keys = [...(keysByTag.get(tag) ?? [])]
      for (const key of keys) answers.delete(key)
      return keys.length
    },
    clear() {
      sequence += 1
      forgottenUpTo = sequence
      answers.clear()
    },
    stats: () => ({ entries: answers.size, bytes: answers.calculatedSize }),
  }
}
