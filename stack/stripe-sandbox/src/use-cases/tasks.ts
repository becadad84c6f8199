import type { Task } from '../domain/decision.ts'
import { ApiError } from '../errors.ts'
import type { Charge } from '../shapes/charges.ts'
import { type Deps, noCause } from './deps.ts'
import { createDispute, endDispute } from './disputes.ts'
import { findMethod, mustFind } from './find.ts'
import { cancelPayment, settleDebit } from './payments.ts'
import { endRefund } from './refunds.ts'

export type TaskRow = Pick<Task, 'kind' | 'objectId' | 'outcome'> & { seq: number; dueAt: number }

type Query = { dueBefore: number; kinds: readonly Task['kind'][]; limit: number }

/** What banks and card networks have still to say, soonest first. */
export function listTasks({ store }: Deps, { dueBefore, kinds, limit }: Query): TaskRow[] {
  return store.all<TaskRow>(
    `SELECT seq, kind, object_id AS objectId, outcome, due_at AS dueAt FROM tasks
     WHERE due_at <= ? AND kind IN (SELECT value FROM json_each(?)) ORDER BY due_at, seq LIMIT ?`,
    dueBefore,
    JSON.stringify(kinds),
    limit,
  )
}

export function nextTaskAt({ store }: Deps): number | null {
  return store.get<{ at: number | null }>('SELECT min(due_at) AS at FROM tasks')?.at ?? null
}

/** Runs one of them; what a hand has settled in the meantime is left as it is. */
export function runTask(deps: Deps, task: TaskRow): void {
  deps.store.write('DELETE FROM tasks WHERE seq = ?', task.seq)
  try {
    perform(deps, task)
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
  }
}

function perform(deps: Deps, { kind, objectId, outcome }: TaskRow): void {
  if (kind === 'debit') {
    const end = outcome === 'failed' ? 'failed' : 'succeeded'
    settleDebit(deps, { intentId: objectId, outcome: end }, noCause)
  } else if (kind === 'refund') {
    const end = outcome === 'failed' ? 'failed' : 'succeeded'
    endRefund(deps, { refundId: objectId, outcome: end }, noCause)
  } else if (kind === 'verdict') {
    const end = outcome === 'won' ? 'won' : 'lost'
    endDispute(deps, { disputeId: objectId, outcome: end }, noCause)
  } else if (kind === 'authorization_end') {
    cancelPayment(deps, { intentId: objectId, reason: 'automatic' }, noCause)
  } else {
    const charge = mustFind<Charge>(deps, 'charge', { id: objectId, param: 'charge' })
    const { dispute } = findMethod(deps.store, charge.payment_method).behaviour
    if (dispute === undefined) return
    const target = { intentId: undefined, chargeId: objectId, amount: undefined }
    createDispute(deps, { ...target, ...dispute }, noCause)
  }
}
