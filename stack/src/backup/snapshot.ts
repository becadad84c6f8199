import { setTimeout as pause } from 'node:timers/promises'
import { AppError } from '@halles/kit/errors'
import type pg from 'pg'
import { quote, readTables } from './catalog.ts'
import { type Store, withStores } from './connection.ts'

/** A client per store, each in a transaction that sees its database at the same moment. */
export type Snapshot = { takenAt: Date; heldMs: number }

// Writers wait behind us, and their callers for five seconds at most. More than the second after
// which PostgreSQL sends a vacuum away that stands before us (deadlock_timeout).
const lockTimeoutMs = 1_500
// In which those go on who waited.
const pauseMs = 500
// Longer than any transaction of a service; an import in one transaction would be refused anyway.
const patienceMs = 60_000
// https://www.postgresql.org/docs/current/errcodes-appendix.html: no lock, deadlock
const isTaken = (error: unknown) =>
  ['55P03', '40P01'].includes(String((error as { code?: unknown }).code))

/**
 * Begins a snapshot in every client. Nobody may write to any store while they begin, so that all see
 * one moment: what one service told another is in both or in neither. Throws `BACKUP_BUSY` when
 * somebody writes for so long that the moment never comes.
 */
export function takeSnapshot(
  stores: readonly Store[],
  clients: readonly pg.Client[],
): Promise<Snapshot> {
  return withStores(stores, 'halles backup barrier', async (lockers) => {
    const tables = await Promise.all(lockers.map(readTables))
    const lists = tables.map((each) => each.map(({ name }) => quote(name)).join(', '))
    const untilMs = performance.now() + patienceMs
    for (;;) {
      const startedAtMs = performance.now()
      try {
        await holdWriters(lockers, lists, stores)
        await Promise.all(clients.map(beginSnapshot))
        return { takenAt: new Date(), heldMs: Math.round(performance.now() - startedAtMs) }
      } catch (error) {
        if (!isTaken(error)) throw error
        if (performance.now() > untilMs) throw busy(error)
      } finally {
        await Promise.all(lockers.map((client) => client.query('rollback')))
      }
      await pause(pauseMs)
    }
  })
}

async function holdWriters(
  lockers: readonly pg.Client[],
  lists: readonly string[],
  stores: readonly Store[],
): Promise<void> {
  const hold = async (index: number) => {
    const list = lists[index]
    await lockers[index]?.query(`begin; set local lock_timeout = ${lockTimeoutMs}`)
    // Reads go on; who writes waits.
    if (list !== '') await lockers[index]?.query(`lock table ${list} in share mode`)
  }
  const places = stores.map((_, index) => index)
  const isShared = (index: number) => stores[index]?.part === messagesPart
  // Consumers write to their own database while they hold a message: that door is closed first, so
  // that nobody who holds one waits for us while we wait for him.
  await settleAll(places.filter(isShared).map(hold))
  await settleAll(places.filter((index) => !isShared(index)).map(hold))
}

/** The part that stands for the database of embedded messages. */
export const messagesPart = 'messages'

/** The first failure, once all have ended: a rollback must not overtake a lock. */
async function settleAll(work: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(work)) {
    if (result.status === 'rejected') throw result.reason
  }
}

async function beginSnapshot(client: pg.Client): Promise<void> {
  await client.query('begin isolation level repeatable read read only')
  // The first query takes the snapshot.
  await client.query('select 1')
}

function busy(cause: unknown): AppError {
  const message = `Somebody has been writing in one transaction for ${patienceMs / 1_000} s, so that there was no moment to keep. Try again when that is over.`
  return new AppError('unavailable', 'BACKUP_BUSY', message, { cause })
}
