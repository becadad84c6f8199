import { AppError } from '@halles/kit/errors'
import { toRefusal } from '../domain/events.ts'
import { aFinding, type Finding, type Listed, strangerFinding } from '../domain/findings.ts'
import type { Payment } from '../domain/payment.ts'
import type { Deps, StoredFinding, Window } from '../ports.ts'
import { type Compared, comparePayment } from './compare-payment.ts'
import { takeEvent } from './receive-event.ts'

/**
 * Where a comparison stopped: first the notifications that did not arrive, then all that the provider
 * lists, then what of ours it did not.
 */
export type Progress = {
  pass: 'missed' | 'listed' | 'ours'
  after: string | null
  startedAt: Date
}

export type Report = {
  compared: number
  repaired: number
  findings: readonly StoredFinding[]
  /** Null when the whole window was compared. */
  next: Progress | null
}

export type Reconcile = {
  window: Window
  progress: Progress | null
  /** No new page is begun after that long. */
  budgetMs: number
  /** Asks orders about every payment, not only about those that it may not have heard of. */
  isForced: boolean
}

type Run = Reconcile & { failuresInARow: number }

type Page = {
  /** Missed notifications that changed something. */
  applied: number
  compared: readonly Compared[]
  strangers: readonly Listed[]
  next: Progress | null
}

// One payment may be stuck at the provider by itself; when several are in a row, it is an outage.
const maxFailuresInARow = 3
// As many as are compared, one by one, in a part of the time that a caller waits.
const oursPerPage = 50

/**
 * Compares the provider's payments of a window with ours and, through the settle path, with the
 * orders. What a missed notification would have told is applied; what remains different is kept as a
 * finding until a later comparison does not see it any more.
 * @throws unavailable `PROVIDER_UNAVAILABLE`, `ORDERS_UNAVAILABLE`.
 */
export async function reconcile(deps: Deps, asked: Reconcile): Promise<Report> {
  const request: Run = { ...asked, failuresInARow: 0 }
  const startedAtMs = deps.clock().getTime()
  const first: Progress = { pass: 'missed', after: null, startedAt: deps.clock() }
  let next: Progress | null = request.progress ?? first
  let compared = 0
  let repaired = 0
  const findings: StoredFinding[] = []
  while (next && deps.clock().getTime() - startedAtMs < request.budgetMs) {
    const page = await passes[next.pass](deps, request, next)
    compared += page.compared.length + page.strangers.length
    repaired += page.applied + page.compared.filter(({ isRepaired }) => isRepaired).length
    findings.push(...(await keepPage(deps, page)))
    next = page.next
  }
  return { compared, repaired, findings, next }
}

const passes: Record<
  Progress['pass'],
  (deps: Deps, run: Run, progress: Progress) => Promise<Page>
> = { missed: takeMissed, listed: compareListed, ours: compareOurs }

/**
 * One page of events that the provider could not deliver. What they are refused with is kept; one
 * that cannot be applied yet does not hold up the others.
 */
async function takeMissed(deps: Deps, run: Run, progress: Progress): Promise<Page> {
  const { items, next } = await deps.providers.stripe.listMissedEvents(run.window, progress.after)
  let applied = 0
  for (const event of items) {
    try {
      if ((await takeEvent(deps, event)) === 'applied') applied += 1
      run.failuresInARow = 0
    } catch (error) {
      countFailure(run, error)
    }
  }
  const pass = next === null ? 'listed' : 'missed'
  return { applied, compared: [], strangers: [], next: { ...progress, pass, after: next } }
}

/** One page of what the provider lists. */
async function compareListed(deps: Deps, request: Run, progress: Progress): Promise<Page> {
  const { stripe } = deps.providers
  const { items, next } = await stripe.listPayments(request.window, progress.after)
  const known = await deps.payments.findBySessions(items.map(({ sessionId }) => sessionId))
  const bySession = new Map(known.map((payment) => [payment.session?.id, payment]))
  const compared: Compared[] = []
  const strangers: Listed[] = []
  for (const item of items) {
    const payment = bySession.get(item.sessionId)
    if (payment) compared.push(await compareSafely(deps, payment, item, request))
    // What carries no id of ours was sold by somebody else with the same account.
    else if (item.paymentId !== null) strangers.push(item)
  }
  const pass = next === null ? 'ours' : 'listed'
  return { applied: 0, compared, strangers, next: { ...progress, pass, after: next } }
}

/** Some of ours that the provider did not list, or whose end is not known yet. */
async function compareOurs(deps: Deps, request: Run, progress: Progress): Promise<Page> {
  const before = progress.startedAt
  const search = { ...request.window, before, limit: oursPerPage }
  const payments = await deps.payments.findToCompare(search)
  const compared: Compared[] = []
  for (const payment of payments) {
    compared.push(await compareSafely(deps, payment, null, request))
  }
  return {
    applied: 0,
    compared,
    strangers: [],
    next: payments.length < oursPerPage ? null : progress,
  }
}

/** A payment that fails for a reason of its own becomes a finding; an outage ends the run. */
async function compareSafely(
  deps: Deps,
  payment: Payment,
  listed: Listed | null,
  run: Run,
): Promise<Compared> {
  try {
    const compared = await comparePayment(deps, payment, listed?.snapshot ?? null, run.isForced)
    run.failuresInARow = 0
    return compared
  } catch (error) {
    const isRefusal = countFailure(run, error)
    const code = error instanceof AppError ? error.code : 'INTERNAL'
    if (!isRefusal) deps.log.error({ error, paymentId: payment.id }, 'A comparison failed.')
    const finding = aFinding(payment, 'state-mismatch', `It cannot be compared: ${code}.`)
    return { payment, isRepaired: false, findings: [finding] }
  }
}

/** Whether it was refused for good. @throws the error when it is one of several in a row. */
function countFailure(run: Run, error: unknown): boolean {
  const isRefusal = toRefusal(error) !== undefined
  run.failuresInARow = isRefusal ? 0 : run.failuresInARow + 1
  if (run.failuresInARow >= maxFailuresInARow) throw error
  return isRefusal
}

async function keepPage(deps: Deps, { compared, strangers }: Page): Promise<StoredFinding[]> {
  const at = deps.clock()
  const findings: Finding[] = [
    ...compared.flatMap((each) => each.findings),
    ...strangers.flatMap(strangerFinding),
  ]
  const ids = compared.map(({ payment }) => payment.id)
  const sessions = strangers.map(({ sessionId }) => sessionId)
  const kept = await deps.findings.replace([...ids, ...sessions], findings, at)
  await deps.payments.recordCompared(ids, at)
  return kept
}
