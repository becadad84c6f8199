import { createPostgresMessaging } from '../../src/messaging/postgres.ts'
import type { Messaging } from '../../src/messaging.ts'
import { silentLogger } from '../../src/testing.ts'

/** For suites of the other brokers: what the embedded half polls for as a last resort. */
export const embeddedPollMs = 5_000

/** Opens the embedded adapter as the contract suite and its consumer processes do. */
export function connect(options: { url: string; instance: string; pollMs?: number }): Messaging {
  return createPostgresMessaging({
    service: 'tester',
    logger: silentLogger(),
    // An hour: what arrives in these tests was notified, or timed exactly, and not polled.
    pollMs: 3_600_000,
    ...options,
    leaseMs: 1_500,
    drainMs: 2_000,
  })
}
