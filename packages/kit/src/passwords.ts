import { hash, verify } from '@node-rs/argon2'
import { AppError } from './errors.ts'
import type { Metrics } from './metrics.ts'
import { createBulkhead } from './resilience.ts'
import { remainingMs } from './trace.ts'

export type PasswordHasher = {
  /** @throws unavailable `HASHING_BUSY` when a hash that was asked for now would be refused. */
  admit(): void
  /** Hashes a password in PHC format. @throws unavailable `HASHING_BUSY`. */
  hash(password: string, options?: Waiting): Promise<string>
  /** Whether the password is the one that was hashed. @throws unavailable `HASHING_BUSY`. */
  verify(hashed: string, password: string, options?: Waiting): Promise<boolean>
}

/** Whose signal is aborted leaves the queue without being hashed. */
export type Waiting = { signal?: AbortSignal | undefined }

export type PasswordHasherOptions = {
  /** Hashes at once: at most the cores, and fewer than the threads of libuv. */
  concurrency: number
  /** Hashes that may wait: what bounds the memory of a flood. */
  queueLimit: number
  /** How long one may wait, less when the request has less time left. Default 2 s. */
  maxWaitMs?: number
  /** Gets how many run and wait, how long they waited, and how many were refused. */
  metrics?: Metrics
}

// OWASP's first recommendation for argon2id: 19 MiB, two passes, one lane.
const parameters = { memoryCost: 19_456, timeCost: 2, parallelism: 1 }
// What a hash takes before the first was measured.
const firstGuessMs = 15
// Weight of the newest measurement: some ten hashes tell a machine that has become slower.
const newestWeight = 0.1
// A client that is told more gives up.
const maxRetryAfterSeconds = 15

/**
 * argon2id with a bound on how many run (each takes a core and 19 MiB) and how long others wait: a
 * queue without end would turn a burst of sign-ins into minutes of waiting for all. Who would wait
 * too long is refused at once, with a time to come back at which there is room.
 */
export function createPasswordHasher(options: PasswordHasherOptions): PasswordHasher {
  const { concurrency, queueLimit, maxWaitMs = 2_000, metrics } = options
  const measure = metrics && measureHashing(metrics, () => bulkhead)
  let hashMs = firstGuessMs
  let roomAtMs = 0

  // Who is refused gets a place behind those refused before: told the same second, all would return
  // in it and find the same queue.
  function busy(): AppError {
    const now = performance.now()
    const nextMs = Math.max(roomAtMs - now, waitMs()) + hashMs / concurrency
    const roomInMs = Math.min(nextMs, maxRetryAfterSeconds * 1_000)
    roomAtMs = now + roomInMs
    measure?.refused.inc()
    return new AppError('unavailable', 'HASHING_BUSY', 'Too many people sign in right now.', {
      retryAfterSeconds: Math.ceil(roomInMs / 1_000),
    })
  }

  const bulkhead = createBulkhead({ limit: concurrency, queueLimit, refuse: busy })

  /** How long one that came now would wait. */
  function waitMs(): number {
    if (bulkhead.running() < concurrency) return 0
    return ((bulkhead.waiting() + 1) * hashMs) / concurrency
  }

  function admit(): void {
    if (bulkhead.waiting() >= queueLimit || waitMs() > remainingMs(maxWaitMs)) throw busy()
  }

  async function run<T>(work: () => Promise<T>, { signal }: Waiting = {}): Promise<T> {
    admit()
    const askedAtMs = performance.now()
    const patience = new AbortController()
    const timer = setTimeout(() => patience.abort(busy()), maxWaitMs)
    const signals = signal ? [signal, patience.signal] : [patience.signal]
    try {
      return await bulkhead.run(
        async () => {
          clearTimeout(timer)
          const startedAtMs = performance.now()
          measure?.waited.observe((startedAtMs - askedAtMs) / 1_000)
          const result = await work()
          hashMs += newestWeight * (performance.now() - startedAtMs - hashMs)
          return result
        },
        { signal: AbortSignal.any(signals) },
      )
    } finally {
      clearTimeout(timer)
    }
  }

  return {
    admit,
    hash: (password, waiting) => run(() => hash(password, parameters), waiting),
    verify: (hashed, password, waiting) => run(() => verify(hashed, password), waiting),
  }
}

function measureHashing(metrics: Metrics, hashes: () => { running(): number; waiting(): number }) {
  metrics.gauge({
    name: 'hashing_running',
    help: 'Passwords that are hashed right now.',
    collect: (gauge) => gauge.set(hashes().running()),
  })
  metrics.gauge({
    name: 'hashing_waiting',
    help: 'Requests that wait for the hash of their password.',
    collect: (gauge) => gauge.set(hashes().waiting()),
  })
  return {
    refused: metrics.counter({
      name: 'hashing_refused_total',
      help: 'Requests turned away because their hash would have waited too long.',
    }),
    waited: metrics.histogram({
      name: 'hashing_wait_seconds',
      help: 'How long passwords waited for their hash.',
    }),
  }
}
