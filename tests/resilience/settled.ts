import assert from 'node:assert/strict'
import { sql } from '@halles/kit/database'
import { eventually } from '@halles/kit/testing'
import { countCommands } from './facts.ts'
import type { Platform, Service } from './platform.ts'

const countOutbox = sql('faults.count_outbox', 'select count(*) as n from outbox')
const withOutbox: readonly Service[] = ['customers', 'products', 'auth']

// A queue of some thousand messages drains in seconds.
const settleLimitMs = 90_000
// A message that failed is tried again after 15 s at most, and a lease of the embedded queue ends
// after 15 s: what has not come by then does not come.
const defaultPatienceMs = 20_000

/**
 * Waits until nothing is under way: outboxes and queues empty, no subscriber behind. RabbitMQ does
 * not count what a consumer has in hand; so this waits besides for auth to have applied as many
 * commands as were sent, though only as long as more of them come.
 * @param patienceMs how long nothing must have come to be given up.
 */
export async function untilSettled(
  platform: Platform,
  patienceMs = defaultPatienceMs,
): Promise<void> {
  await eventually(() => isQuiet(platform), { limitMs: settleLimitMs, intervalMs: 200 })
  let applied = -1
  let movedAt = performance.now()
  await eventually(
    async () => {
      const commands = await countCommands(platform)
      if (commands.applied !== applied) movedAt = performance.now()
      applied = commands.applied
      return commands.sent === applied || performance.now() - movedAt > patienceMs
    },
    { limitMs: settleLimitMs, intervalMs: 100 },
  )
  // What was applied last may have sent something itself.
  await eventually(() => isQuiet(platform), { limitMs: settleLimitMs, intervalMs: 200 })
}

async function isQuiet(platform: Platform): Promise<void> {
  const { shop } = platform
  for (const service of withOutbox) {
    assert.equal(await outboxRows(platform, service), 0, `Rows in the outbox of ${service}.`)
  }
  const { queues, topics } = await shop.api.ask('getSystem', { token: await shop.admin() })
  for (const { name, waiting, inFlight = 0 } of queues) {
    assert.equal(waiting + inFlight, 0, `Messages in the queue ${name}.`)
  }
  for (const { name, groups } of topics) {
    for (const group of groups) assert.equal(group.lag, 0, `Lag of ${group.name} on ${name}.`)
  }
}

export async function outboxRows({ database }: Platform, service: Service): Promise<number> {
  const counted = await database(service).maybe<{ n: number }>(countOutbox)
  return counted?.n ?? 0
}
