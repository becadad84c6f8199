import type { Attempt, Store, StoredEvent } from './store.ts'
import { createWebhookSender } from './webhook-sender.ts'

export type WebhookOptions = {
  store: Store
  clock: () => number
  url: () => string | null
  /** Signs every body. */
  secret: string
  /** The pause before each retry; the list's end is the end of the tries. */
  retryScheduleMs: readonly number[]
  timeoutMs: number
  concurrency: number
  onGivenUp: (eventId: string, attempt: Attempt) => void
}

export type Webhooks = ReturnType<typeof createWebhooks>

/** Sends waiting events, in the order of their creation, until each is accepted or given up. */
export function createWebhooks(options: WebhookOptions) {
  const { store, clock } = options
  const sender = createWebhookSender(options)
  const inFlight = new Map<string, Promise<void>>()
  let timer: NodeJS.Timeout | null = null
  let isWoken = false
  let isStopped = false

  /** Looks for due events after the writes of this turn are committed. */
  function wake(): void {
    if (isWoken || isStopped) return
    isWoken = true
    setImmediate(() => {
      isWoken = false
      sendDue()
    })
  }

  function sendDue(): void {
    const url = options.url()
    if (isStopped || url === null) return
    const free = options.concurrency - inFlight.size
    if (free <= 0) return
    // One moment for both questions: what comes due between two readings would be left to nobody.
    const now = clock()
    // The events under way are still due, so they are asked for too and left out here.
    const due = store.all<{ id: string }>(
      'SELECT id FROM events WHERE next_at <= ? ORDER BY next_at, seq LIMIT ?',
      now,
      free + inFlight.size,
    )
    for (const { id } of due) {
      if (inFlight.size >= options.concurrency) return
      if (!inFlight.has(id))
        inFlight.set(
          id,
          deliver(id, url).finally(() => settled(id)),
        )
    }
    sleepUntilNext(now)
  }

  function settled(id: string): void {
    inFlight.delete(id)
    wake()
  }

  function sleepUntilNext(now: number): void {
    const next = store.get<{ at: number | null }>(
      'SELECT min(next_at) AS at FROM events WHERE next_at > ?',
      now,
    )?.at
    if (timer !== null) clearTimeout(timer)
    timer = null
    // A timer holds 31 bits of milliseconds; waking a minute from now at the latest costs nothing.
    if (typeof next === 'number')
      timer = setTimeout(wake, Math.min(Math.max(1, next - clock()), 60_000))
  }

  async function deliver(id: string, url: string): Promise<void> {
    const event = find(id)
    if (event === undefined) return
    const attempt = await sender.post(event, url)
    if (isStopped && attempt.error !== null) return
    record(id, attempt)
    if (isAccepted(attempt)) {
      store.write(`UPDATE events SET state = 'delivered', next_at = NULL WHERE id = ?`, id)
      return
    }
    const pauseMs = options.retryScheduleMs[event.failures]
    if (pauseMs === undefined) options.onGivenUp(id, attempt)
    store.write(
      'UPDATE events SET failures = failures + 1, state = ?, next_at = ? WHERE id = ?',
      pauseMs === undefined ? 'failed' : 'waiting',
      pauseMs === undefined ? null : clock() + pauseMs,
      id,
    )
  }

  function find(id: string): (StoredEvent & { failures: number }) | undefined {
    return store.get('SELECT id, created, type, body, failures FROM events WHERE id = ?', id)
  }

  function record(eventId: string, attempt: Attempt): void {
    store.write(
      'INSERT INTO attempts (event_id, at, status, error, response_body, duration_ms) VALUES (?, ?, ?, ?, ?, ?)',
      eventId,
      attempt.at,
      attempt.status,
      attempt.error,
      attempt.responseBody,
      attempt.durationMs,
    )
  }

  /** Sends an event once more, whatever became of it before; null when there is none. */
  async function resend(id: string): Promise<Attempt | null> {
    const url = options.url()
    const event = find(id)
    if (event === undefined || url === null) return null
    const attempt = await sender.post(event, url)
    record(id, attempt)
    if (isAccepted(attempt)) {
      store.write(`UPDATE events SET state = 'delivered', next_at = NULL WHERE id = ?`, id)
    }
    await store.committed()
    return attempt
  }

  /** Starts nothing new and waits, up to the limit, for what is under way. */
  async function stop(limitMs: number): Promise<void> {
    isStopped = true
    if (timer !== null) clearTimeout(timer)
    let limit: NodeJS.Timeout | undefined
    const patience = new Promise<void>((resolve) => {
      limit = setTimeout(resolve, limitMs)
    })
    await Promise.race([Promise.allSettled(inFlight.values()), patience])
    clearTimeout(limit)
    sender.close()
    // What the closed connections cut off ends at once; its events stay waiting.
    await Promise.allSettled(inFlight.values())
  }

  return { wake, resend, stop }
}

function isAccepted({ status }: Attempt): boolean {
  return status !== null && status >= 200 && status < 300
}
