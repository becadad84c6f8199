import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { Logger } from '@halles/kit/logging'
import type { CachedAnswer } from './cache.ts'
import type { Redis } from './redis.ts'
import { passEntry, readEntry, writeEntry } from './shared-cache-scripts.ts'
import { createTrust, rootMs } from './shared-cache-trust.ts'

/** What was known of purges before the service was asked, and who asks for all gateways. */
export type Permit = { readonly id: string; readonly mark: number; readonly token: string }

export type SharedRead =
  /** It can be used as it is, or another gateway is refreshing it. */
  | { readonly kind: 'answer'; readonly answer: CachedAnswer }
  /** The service is to be asked; `held` is what may be used if that fails. */
  | { readonly kind: 'ask'; readonly held?: CachedAnswer; readonly permit?: Permit }

/** The level of the cache that all gateways share. None of it ever rejects. */
export type SharedCache = {
  /**
   * Finds an answer, or finds out who asks the service: one of all gateways, while the others wait
   * for its answer, for a bounded time.
   * @param isRefresh an answer is at hand, and a newer one is wanted.
   */
  read(key: string, isRefresh: boolean): Promise<SharedRead>
  /** Stores the answer unless one of its tags was purged since the permit. */
  write(key: string, answer: CachedAnswer, permit: Permit): Promise<void>
  /** Tells the others that there is nothing to wait for. */
  pass(key: string, permit: Permit): Promise<void>
  /**
   * Purges for all gateways. Where that cannot be confirmed in time, this gateway neither reads nor
   * writes the shared level until it is.
   */
  purge(eventId: string, tags: readonly string[]): Promise<void>
  /** Begins to use the shared level, once this gateway hears of every change. */
  join(): void
  isUsable(): boolean
  stop(): Promise<void>
}

// What the gateway that asks is given before the others ask themselves: most answers take less.
const pollMs = 15
const polls = 20
// Longer than most answers take; if a gateway dies, the others wait for its answers no longer.
const lockMs = 2_000
const passMs = 1_000
// Redis answers everybody on the one connection: larger bodies would hold up the others.
const maxBodyBytes = 256 * 1024

type Head = Pick<CachedAnswer, 'contentType' | 'etag' | 'isEtagOfService' | 'tags'> & {
  freshMs: number
  staleMs: number
  errorMs: number
}

/**
 * The shared level on Redis.
 * @param options.clock monotonic milliseconds, as the answers' times.
 */
export function createSharedCache(options: {
  redis: Pick<Redis, 'space' | 'run'>
  logger: Logger
  clock?: () => number
}): SharedCache {
  const { redis, logger, clock = () => performance.now() } = options
  const trust = createTrust(redis, logger)

  return {
    async read(key, isRefresh) {
      const token = randomUUID()
      let held: CachedAnswer | undefined
      for (let tries = 0; trust.isGiven(); tries += 1) {
        const flags = [isRefresh, held !== undefined].map(Number)
        const reply = await redis.run(readEntry, keysOf(key), [rootMs, token, lockMs, ...flags])
        if (reply === undefined) break
        const nowMs = clock()
        const { permit, verdict, answer } = toRead(reply, token, nowMs)
        held = answer ?? held
        const isRefreshed = verdict === 'wait' && isRefresh
        if (held && (verdict === 'answer' || (isRefreshed && nowMs <= held.staleUntilMs))) {
          return { kind: 'answer', answer: held }
        }
        if (verdict !== 'wait' || tries === polls) return toAsk(held, permit)
        await pause(pollMs)
      }
      return toAsk(held)
    },

    async write(key, answer, { token, id, mark }) {
      const { storedAtMs, body, tags } = answer
      if (!trust.isGiven()) return
      if (body.length > maxBodyBytes) {
        await redis.run(passEntry, [lockOf(key)], [token, passMs])
        return
      }
      const head = toHead(answer)
      const nowMs = clock()
      const times = [answer.errorUntilMs - nowMs, nowMs - storedAtMs, head.freshMs, head.staleMs]
      const [keepMs = 0, ...ages] = times.map(Math.round)
      const content = [tags.join(' '), JSON.stringify(head), body]
      const values = [token, id, mark, Math.max(1, keepMs), ...ages, ...content]
      await redis.run(writeEntry, keysOf(key), values)
    },

    async pass(key, { token }) {
      await redis.run(passEntry, [lockOf(key)], [token, passMs])
    },

    purge: trust.purge,
    join: trust.join,
    isUsable: trust.isGiven,
    stop: trust.stop,
  }
}

const lockOf = (key: string) => `lock:${key}`
const keysOf = (key: string) => ['root', `entry:${key}`, lockOf(key)]

function toAsk(held: CachedAnswer | undefined, permit?: Permit): SharedRead {
  return { kind: 'ask', ...(held && { held }), ...(permit && { permit }) }
}

function toRead(reply: unknown, token: string, nowMs: number) {
  const [id, mark, verdict, ageMs, head, body] = reply as [
    ...[id: Buffer, mark: number, verdict: Buffer],
    ...[ageMs?: number, head?: Buffer, body?: Buffer],
  ]
  return {
    permit: { id: String(id), mark, token },
    verdict: String(verdict),
    answer:
      head && body ? toAnswer(JSON.parse(String(head)), body, nowMs - (ageMs ?? 0)) : undefined,
  }
}

function toHead(answer: CachedAnswer): Head {
  const { contentType, etag, isEtagOfService, tags, storedAtMs } = answer
  return {
    ...{ contentType, etag, isEtagOfService, tags },
    freshMs: answer.freshUntilMs - storedAtMs,
    staleMs: answer.staleUntilMs - storedAtMs,
    errorMs: answer.errorUntilMs - storedAtMs,
  }
}

function toAnswer(head: Head, body: Buffer, storedAtMs: number): CachedAnswer {
  const { freshMs, staleMs, errorMs, ...rest } = head
  return {
    ...rest,
    body,
    storedAtMs,
    freshUntilMs: storedAtMs + freshMs,
    staleUntilMs: storedAtMs + staleMs,
    errorUntilMs: storedAtMs + errorMs,
  }
}
