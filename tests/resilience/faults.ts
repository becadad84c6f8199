import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import { sql, type Tx } from '@halles/kit/database'
import { eventually } from '@halles/kit/testing'
import type { StackUnderTest } from '../e2e/stack-under-test.ts'
import type { Platform, Service } from './platform.ts'
import { outboxRows } from './settled.ts'

/** Something that breaks while people work, and what is said of it. */
export type Fault = {
  title: string
  /** Resolves when the broken part works again. */
  strike(platform: Platform): Promise<void>
}

/** kill -9 of a part, all its processes at once; its supervisor starts it again. */
export function killed(part: string): Fault {
  return {
    title: `${part} is killed`,
    async strike({ shop: { stack } }) {
      const pids = stack.kill(part)
      await untilReplaced(stack, part, pids)
    },
  }
}

/** The dead are gone, and those that the supervisor started in their place are ready. */
async function untilReplaced(stack: StackUnderTest, part: string, pids: readonly number[]) {
  await eventually(() => stack.processes(part).every(({ pid }) => !pid || !pids.includes(pid)))
  await stack.untilReady(part)
}

/** A part ends in good order, stays away, and comes back. */
export function away(part: string, seconds: number): Fault {
  return {
    title: `${part} is away for ${seconds} seconds`,
    strike: ({ shop: { stack } }) =>
      stack.without(part, async () => {
        await pause(seconds * 1_000)
      }),
  }
}

export const sendersPostgresKilled: Fault = {
  ...killed('postgres'),
  title: 'the PostgreSQL of the senders is killed',
}

export const receiversPostgresKilled: Fault = {
  title: 'the PostgreSQL of the receivers is killed',
  strike: (platform) => platform.killReceiversPostgres(),
}

// Of packages/kit/src/relay.ts: who holds them relays commands and events.
const relayLocks = [4_801_297_311, 4_801_297_312]
const lockRelay = sql(
  'faults.lock_relay',
  'select pg_advisory_lock(key) from unnest($1::bigint[]) as locks (key)',
)
const unlockRelay = sql(
  'faults.unlock_relay',
  'select pg_advisory_unlock(key) from unnest($1::bigint[]) as locks (key)',
)
const lockRows = sql('faults.lock_rows', 'select id from outbox for update')
const selectBlocked = sql(
  'faults.blocked_relay',
  `select pid from pg_stat_activity
   where datname = current_database() and wait_event_type = 'Lock'
     and query like 'delete from outbox%'`,
)

export type BatchFault = Fault & { /** Messages that the broker got twice. */ repeated(): number }

/**
 * The relay dies between its two steps: the broker has stored a batch, and the outbox still holds
 * it. To meet the moment for certain, the rows of a batch are locked by somebody else: the relay
 * reads them (no lock needed), publishes them, and then hangs in their deletion. That is where it
 * is killed; its successor finds the same rows and must publish them again.
 */
export function killedInMidBatch(sender: 'customers' | 'products', batch: number): BatchFault {
  let repeated = 0
  return {
    title: `${sender} is killed when the broker has a batch that the outbox still holds`,
    repeated: () => repeated,
    async strike(platform) {
      const { stack } = platform.shop
      let pids: number[] = []
      await withoutRelay(platform, sender, async (tx, resumeRelay) => {
        await eventually(async () => (await outboxRows(platform, sender)) >= batch, {
          limitMs: 30_000,
        })
        repeated = (await tx.query(lockRows)).length
        await resumeRelay()
        // Not in the transaction: it would see the same activity for ever.
        const { query } = platform.database(sender)
        await eventually(async () => (await query(selectBlocked)).length > 0)
        pids = stack.kill(sender)
      })
      await untilReplaced(stack, sender, pids)
      assert.ok(repeated >= batch)
    },
  }
}

/**
 * Runs the work while nothing is relayed, because the relay's lock is taken. What the work locks
 * besides is held until it ends, also if it lets the relay go on before.
 */
export async function withoutRelay(
  { database }: Platform,
  sender: Service,
  work: (tx: Tx, resumeRelay: () => Promise<void>) => Promise<void>,
): Promise<void> {
  await database(sender).transaction(
    async (tx) => {
      await tx.query(lockRelay, [relayLocks])
      let isHeld = true
      const resumeRelay = async () => {
        if (isHeld) await tx.query(unlockRelay, [relayLocks])
        isHeld = false
      }
      try {
        await work(tx, resumeRelay)
      } finally {
        await resumeRelay()
      }
    },
    { maxAttempts: 1 },
  )
}
