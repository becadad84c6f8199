import {
  type ProviderEvent as EventView,
  type Finding as FindingView,
  type Operations,
  routes,
} from '@halles/contracts/gen/http/payments'
import { AppError, errorTable } from '@halles/kit/errors'
import type { HttpServer } from '@halles/kit/http-server'
import type { Metrics } from '@halles/kit/metrics'
import { runWithDeadline } from '@halles/kit/trace'
import { fromCursor, fromProgressCursor, toCursor, toProgressCursor } from './cursors.ts'
import type { Deps, StoredEvent, StoredFinding } from './ports.ts'
import { receiveEvent, replayEvent } from './use-cases/receive-event.ts'
import { reconcile } from './use-cases/reconcile.ts'
import { recordRefundSent } from './use-cases/refund-payment.ts'

export { routes }

const webhookOutcomes = ['applied', 'duplicate', 'ignored', 'refused', 'failed'] as const

// The provider waits for some 10 s: what takes longer fails here, so that our answer is the outcome.
const webhookMs = 9_000
// A caller's edge waits for 10 s; a page that was begun needs the rest.
const reconcileMs = 5_000

/** Serves the contract `payments`. */
export function servePayments(server: HttpServer<Operations>, deps: Deps, metrics: Metrics): void {
  const webhooks = metrics.counter({
    name: 'payments_webhooks_total',
    help: "The provider's notifications by what became of them: an outcome, refused for good, or failed, so that it comes again.",
    labels: ['outcome'],
  })
  // A counter that first appears with 1 has not grown, to Prometheus.
  for (const outcome of webhookOutcomes) webhooks.inc({ outcome }, 0)

  server.on('receiveStripeWebhook', async ({ rawBody, headers }) => {
    const signature = headers['stripe-signature']
    try {
      const outcome = await runWithDeadline(webhookMs, () =>
        receiveEvent(deps, { rawBody, signature }),
      )
      webhooks.inc({ outcome })
      return { received: true, outcome }
    } catch (error) {
      const isFinal = error instanceof AppError && errorTable[error.kind].http < 500
      webhooks.inc({ outcome: isFinal ? 'refused' : 'failed' })
      throw error
    }
  })

  server.on('listProviderEvents', async ({ query }) => {
    const { type, outcome, limit } = query
    const after = fromCursor(query.cursor)
    const events = await deps.events.list({ type, outcome }, { after, limit: limit + 1 })
    const { items, nextCursor } = toPage(events, limit, ({ receivedAt }) => receivedAt)
    return { items: items.map(toEventView), nextCursor }
  })

  server.on('replayProviderEvent', async ({ params, caller }) => {
    const { subjectId } = caller
    const asked = { eventId: params.eventId, subjectId }
    return {
      received: true,
      outcome: await runWithDeadline(webhookMs, () => replayEvent(deps, asked)),
    }
  })

  server.on('reconcilePayments', async ({ body, caller }) => {
    const window = toWindow(body, deps.clock())
    const progress = fromProgressCursor(body.cursor)
    const request = { window, progress, budgetMs: reconcileMs, isForced: true }
    const { next, findings, compared, repaired } = await reconcile(deps, request)
    const { subjectId } = caller
    deps.log.info({ subjectId, compared, repaired, ...window }, 'Payments were compared on demand.')
    return {
      from: window.from.toISOString(),
      to: window.to.toISOString(),
      compared,
      repaired,
      findings: findings.map(toFindingView),
      nextCursor: next && toProgressCursor(next),
    }
  })

  server.on('listFindings', async ({ query }) => {
    const { limit } = query
    const after = fromCursor(query.cursor)
    const findings = await deps.findings.list({ after, limit: limit + 1 })
    const { items, nextCursor } = toPage(findings, limit, ({ foundAt }) => foundAt)
    return { items: items.map(toFindingView), nextCursor }
  })

  server.on('recordRefundSent', async ({ params, caller }) => {
    const refundId = params.refundId.toLowerCase()
    const { orderId, phase } = await recordRefundSent(deps, {
      refundId,
      subjectId: caller.subjectId,
    })
    return { orderId, refundId, status: phase }
  })
}

/** Of `limit + 1` items that were read, a page and where the next one begins. */
function toPage<T extends { id: string }>(
  read: readonly T[],
  limit: number,
  at: (item: T) => Date,
) {
  const items = read.slice(0, limit)
  const last = items.at(-1)
  const hasMore = read.length > limit && last !== undefined
  return { items, nextCursor: hasMore ? toCursor({ at: at(last), id: last.id }) : null }
}

function toWindow({ from, to }: { from: string; to?: string }, now: Date) {
  const window = { from: new Date(from), to: to === undefined ? now : new Date(to) }
  if (window.from < window.to) return window
  throw new AppError('invalid', 'INVALID_REQUEST', 'The request has fields that cannot be used.', {
    errors: [{ pointer: '/body/to', detail: 'is not after from' }],
  })
}

function toEventView({ receivedAt, ...event }: StoredEvent): EventView {
  return { ...event, receivedAt: receivedAt.toISOString() }
}

function toFindingView({ id: _, foundAt, ...finding }: StoredFinding): FindingView {
  return { ...finding, foundAt: foundAt.toISOString() }
}
