import type { Cache, CachedAnswer } from './cache.ts'
import { type CacheRule, renew, toCached, type WholeAnswer } from './cacheable.ts'
import type { Permit, SharedCache } from './shared-cache.ts'

const ways = [
  'hit',
  'shared',
  'stale',
  'stale-if-error',
  'stored',
  'renewed',
  'revalidated',
  'miss',
] as const

/** How an answer came to be, for `Cache-Status` (RFC 9211). */
export type Found = { readonly isCollapsed?: true } & (
  | { readonly kind: (typeof ways)[number]; readonly answer: CachedAnswer }
  | { readonly kind: 'uncacheable'; readonly answer: WholeAnswer }
)

/**
 * Asks the service, without anything of the client: so the answer can be nobody's own.
 * @param ifNoneMatch the entity tag of what is held.
 */
export type Fetch = (ifNoneMatch?: string) => Promise<WholeAnswer>

export type CatalogueCache = {
  /** What can be answered at once; a stale answer is refreshed behind it. */
  find(key: string, rule: CacheRule, fetch: Fetch): Found | undefined
  /**
   * Asks the other gateways and the service; identical requests under way share one. Falls back on a
   * stale answer. Never gives what was there before a purge that came before the call.
   */
  fetch(key: string, rule: CacheRule, fetch: Fetch): Promise<Found>
  /** How often each way was taken, and how many answers were shared with a request under way. */
  counts(): Readonly<Record<Found['kind'] | 'collapsed', number>>
}

type Asked = { readonly mark: number; readonly found: Promise<Found> }

/**
 * RFC 9111 with stale-while-revalidate and stale-if-error (RFC 5861) over a tagged cache of this
 * process, and over one that all gateways share where there is one.
 */
export function createCatalogueCache(options: {
  cache: Cache
  shared?: SharedCache
  /** Told what went wrong with a refresh that nobody waits for. */
  onRefreshFailed: (key: string, error: unknown) => void
  /** Monotonic milliseconds. */
  clock?: () => number
}): CatalogueCache {
  const { cache, shared, onRefreshFailed, clock = () => performance.now() } = options
  const underWay = new Map<string, Asked>()
  const counts: Record<Found['kind'] | 'collapsed', number> = {
    ...(Object.fromEntries(ways.map((way) => [way, 0])) as Record<(typeof ways)[number], number>),
    uncacheable: 0,
    collapsed: 0,
  }

  /** The mark is from before anything was asked: what was purged since is not held in this process. */
  async function ask(key: string, rule: CacheRule, job: Job): Promise<Found> {
    const { mark, isRefresh } = job
    const read = await shared?.read(key, isRefresh)
    if (read?.kind === 'answer') {
      cache.put(key, read.answer, mark)
      return { kind: clock() <= read.answer.freshUntilMs ? 'shared' : 'stale', answer: read.answer }
    }
    const permit = read?.permit
    const held = cache.get(key) ?? read?.held
    try {
      const whole = await job.fetch(held?.isEtagOfService ? held.etag : undefined)
      if (whole.status < 500) return store(key, rule, { ...job, whole, held, permit })
      release(key, permit)
      return fallback(key, held, mark) ?? { kind: 'uncacheable', answer: whole }
    } catch (error) {
      release(key, permit)
      const stale = fallback(key, held, mark)
      if (stale) return stale
      throw error
    }
  }

  function store(key: string, rule: CacheRule, job: Job & Reply): Found {
    const { whole, held, permit, mark } = job
    const isSame = whole.status === 304 && held !== undefined
    const nowMs = clock()
    const answer = isSame
      ? renew(held, whole.headers, { rule, nowMs })
      : toCached(whole, rule, nowMs)
    if (!answer) {
      release(key, permit)
      // A 304 to what we asked by ourselves is not for the client.
      return { kind: 'uncacheable', answer: isSame ? toWhole(held) : whole }
    }
    // Nobody waits for it: this answer is good whether the others get it or not.
    if (permit) void shared?.write(key, answer, permit)
    if (!cache.put(key, answer, mark)) return { kind: 'miss', answer }
    if (isSame) return { kind: 'revalidated', answer }
    return { kind: held ? 'renewed' : 'stored', answer }
  }

  function release(key: string, permit: Permit | undefined): void {
    if (permit) void shared?.pass(key, permit)
  }

  function fallback(key: string, held: CachedAnswer | undefined, mark: number): Found | undefined {
    if (!held || clock() > held.errorUntilMs || !cache.isCurrent(held.tags, mark)) return undefined
    cache.put(key, held, mark)
    return { kind: 'stale-if-error', answer: held }
  }

  function start(key: string, rule: CacheRule, request: Pick<Job, 'fetch' | 'isRefresh'>): Asked {
    const mark = cache.mark()
    const asked: Asked = {
      mark,
      found: ask(key, rule, { ...request, mark }).finally(() => {
        if (underWay.get(key) === asked) underWay.delete(key)
      }),
    }
    underWay.set(key, asked)
    return asked
  }

  function refresh(key: string, rule: CacheRule, fetch: Fetch): void {
    if (underWay.has(key)) return
    start(key, rule, { fetch, isRefresh: true }).found.catch((error: unknown) =>
      onRefreshFailed(key, error),
    )
  }

  /** What is under way, where it shows all that was purged until now; else a new answer. */
  async function share(key: string, rule: CacheRule, fetch: Fetch): Promise<Found> {
    const arrivedAt = cache.mark()
    for (;;) {
      const running = underWay.get(key)
      if (!running) return start(key, rule, { fetch, isRefresh: false }).found
      const found = await running.found
      const isCurrent =
        running.mark >= arrivedAt ||
        (found.kind !== 'uncacheable' && cache.isCurrent(found.answer.tags, running.mark))
      if (isCurrent) {
        counts.collapsed += 1
        return { ...found, isCollapsed: true }
      }
    }
  }

  return {
    find(key, rule, fetch) {
      const answer = cache.get(key)
      if (!answer) return undefined
      const nowMs = clock()
      if (nowMs <= answer.freshUntilMs) {
        counts.hit += 1
        return { kind: 'hit', answer }
      }
      if (nowMs > answer.staleUntilMs) return undefined
      refresh(key, rule, fetch)
      counts.stale += 1
      return { kind: 'stale', answer }
    },
    async fetch(key, rule, fetch) {
      const found = await share(key, rule, fetch)
      counts[found.kind] += 1
      if (found.kind === 'stale') refresh(key, rule, fetch)
      return found
    },
    counts: () => counts,
  }
}

type Job = { readonly fetch: Fetch; readonly isRefresh: boolean; readonly mark: number }

type Reply = {
  readonly whole: WholeAnswer
  readonly held: CachedAnswer | undefined
  readonly permit: Permit | undefined
}

function toWhole({ body, etag, contentType }: CachedAnswer): WholeAnswer {
  return { status: 200, headers: { etag, 'content-type': contentType }, body }
}
