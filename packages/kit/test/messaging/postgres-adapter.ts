import { createPostgresMessaging } from '../../src/messaging/postgres.ts'
import type { Messaging } from '../../src/messaging.ts'
import { silentLogger } from '../../src/testing.ts'

/** Opens the embedded adapter as the contract suite and its consumer processes do. */
export function connect(options: { url: string; instance: string }): Messaging {
  return createPostgresMessaging({
    ...options,
    service: 'tester',
    logger: silentLogger(),
    // An hour: what arrives in these tests was notified, or timed exactly, and not polled.
    pollMs: 3_600_000,
    leaseMs: 1_500,
    drainMs: 2_000,
  })
}
