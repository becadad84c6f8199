import { AppError } from '@halles/kit/errors'
import type { Logger } from '@halles/kit/logging'
import { type Cart, mayOpen } from './domain.ts'
import type { CartFeed, CartStore } from './ports.ts'

// A cart is read at most once in this time, however much happens to it.
const gatherMs = 100
// Carts in one read: well under a hundred milliseconds of work for the database.
const readBatch = 100
const retryMs = 1_000
// Finds a change whose announcement was lost with the process that made it.
const lookAgainMs = 30_000
// No stream outlives the token that it was opened with; the browser opens it again by itself.
const maxStreamMs = 15 * 60_000

type Watch = { cart: Cart | undefined; text: string; viewers: Set<() => void> }

export type LiveCartFeed = CartFeed & {
  readonly name: string
  /** Takes the ids of carts and products that changed; undefined means that any may have. */
  changed(ids: ReadonlySet<string> | undefined): void
  size(): number
  start(): Promise<void>
  stop(): Promise<void>
}

/** Follows carts for the streams of this process: one read per changed cart, for all its viewers. */
export function createCartFeed(options: {
  readMany: CartStore['readMany']
  logger: Logger
  maxStreams: number
}): LiveCartFeed {
  const { readMany, logger, maxStreams } = options
  const watches = new Map<string, Watch>()
  const dirty = new Set<string>()
  const closing = new AbortController()
  let streams = 0
  let timer: NodeJS.Timeout | undefined
  let lookAgain: NodeJS.Timeout | undefined
  let isReading = false

  function plan(delayMs: number): void {
    if (isReading || dirty.size === 0 || closing.signal.aborted) return
    timer ??= setTimeout(() => {
      timer = undefined
      isReading = true
      void refresh().then((nextMs) => {
        isReading = false
        plan(nextMs)
      })
    }, delayMs)
  }

  /** Reads a batch of changed carts and wakes their viewers; returns when to go on. */
  async function refresh(): Promise<number> {
    const ids = [...dirty].slice(0, readBatch)
    for (const id of ids) dirty.delete(id)
    try {
      const carts = new Map((await readMany(ids)).map((cart) => [cart.id, cart]))
      for (const id of ids) show(watches.get(id), carts.get(id))
      return dirty.size > 0 && ids.length === readBatch ? 0 : gatherMs
    } catch (error) {
      logger.warn({ error }, 'Watched carts could not be read; they will be, later.')
      for (const id of ids) if (watches.has(id)) dirty.add(id)
      return retryMs
    }
  }

  function changed(ids: ReadonlySet<string> | undefined): void {
    for (const [id, { cart }] of watches) {
      const isMeant = !ids || ids.has(id) || cart?.lines.some(({ productId }) => ids.has(productId))
      if (isMeant) dirty.add(id)
    }
    plan(gatherMs)
  }

  function enter(cart: Cart, wake: () => void): Watch {
    const known = watches.get(cart.id)
    show(known, cart)
    const watch = known ?? { cart, text: JSON.stringify(cart), viewers: new Set() }
    watches.set(cart.id, watch)
    watch.viewers.add(wake)
    streams += 1
    // Something may have happened between its read and now.
    dirty.add(cart.id)
    plan(gatherMs)
    return watch
  }

  function leave(cartId: string, watch: Watch, wake: () => void): void {
    streams -= 1
    watch.viewers.delete(wake)
    if (watch.viewers.size === 0) {
      watches.delete(cartId)
      dirty.delete(cartId)
    }
  }

  async function* follow(first: Cart, customerId: string | null, signal: AbortSignal) {
    const ending = AbortSignal.any([signal, closing.signal, AbortSignal.timeout(maxStreamMs)])
    let woken = Promise.withResolvers<void>()
    const wake = () => woken.resolve()
    const watch = enter(first, wake)
    ending.addEventListener('abort', wake, { once: true })
    try {
      yield first
      let sent = JSON.stringify(first)
      while (!ending.aborted) {
        woken = Promise.withResolvers<void>()
        const { cart, text } = watch
        // Claimed, removed, or no longer this viewer's: there is nothing more to show.
        if (!cart || !mayOpen(cart, customerId)) return
        if (text === sent) await woken.promise
        else {
          sent = text
          yield cart
        }
      }
    } finally {
      ending.removeEventListener('abort', wake)
      leave(first.id, watch, wake)
    }
  }

  return {
    name: 'cart feed',
    changed,
    size: () => streams,
    requireRoom() {
      if (streams < maxStreams) return
      throw new AppError('unavailable', 'TOO_MANY_STREAMS', 'Too many carts are watched now.', {
        retryAfterSeconds: 5,
      })
    },
    follow,
    async start() {
      lookAgain = setInterval(() => changed(undefined), lookAgainMs)
      lookAgain.unref()
    },
    async stop() {
      clearInterval(lookAgain)
      clearTimeout(timer)
      closing.abort()
    },
  }
}

function show(watch: Watch | undefined, cart: Cart | undefined): void {
  if (!watch) return
  const text = JSON.stringify(cart) ?? ''
  if (text === watch.text) return
  watch.cart = cart
  watch.text = text
  for (const wake of watch.viewers) wake()
}
