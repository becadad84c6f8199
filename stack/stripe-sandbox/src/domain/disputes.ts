import { refused } from '../errors.ts'
import type { Metadata } from '../parameters.ts'
import {
  type Dispute,
  type DisputeReason,
  type EvidenceText,
  newDispute,
  newDisputeTransaction,
} from '../shapes/disputes.ts'
import type { Moment } from '../shapes/moment.ts'
import type { Decision, EventDraft, Payment, Task } from './decision.ts'
import { formatMoney } from './money.ts'

const openStatuses = [
  'needs_response',
  'under_review',
  'warning_needs_response',
  'warning_under_review',
]

export function isOpen(dispute: Dispute): boolean {
  return openStatuses.includes(dispute.status)
}

/** Whether the shop cannot give the money back because the bank has already taken it. */
export function keepsMoney({ status }: Dispute): boolean {
  return status === 'needs_response' || status === 'under_review' || status === 'lost'
}

/** The card's owner asks the bank for the money; an inquiry only asks the shop for reasons. */
export function openDispute(
  { charge, hasOpenDispute }: Payment,
  terms: { reason: DisputeReason; isInquiry: boolean; amount: number | undefined },
  moment: Moment,
): Decision<Dispute> {
  const left = charge.amount - charge.amount_refunded
  const amount = terms.amount ?? left
  if (!charge.captured || hasOpenDispute || amount <= 0) {
    throw refused(`Charge ${charge.id} has nothing that could be disputed.`)
  }
  if (amount > charge.amount_captured) {
    const most = formatMoney(charge.amount_captured, charge.currency)
    throw refused(`No more than ${most} of the charge ${charge.id} can be disputed.`)
  }
  const disputed = { ...charge, disputed: true }
  const created = newDispute(charge, { ...terms, amount }, moment)
  if (terms.isInquiry) {
    const events: EventDraft[] = [{ type: 'charge.dispute.created', object: created }]
    return { outcome: created, saved: [disputed, created], events }
  }
  const withdrawal = newDisputeTransaction(created, 'withdrawn', moment)
  const withdrawn: Dispute = { ...created, balance_transactions: [withdrawal] }
  return {
    outcome: withdrawn,
    saved: [disputed, withdrawn],
    events: [
      { type: 'charge.dispute.created', object: withdrawn },
      { type: 'charge.dispute.funds_withdrawn', object: withdrawn },
    ],
  }
}

export type Answer = {
  evidence: { [name in EvidenceText]?: string }
  metadata: Metadata
  isSubmitted: boolean
}

/** The shop's answer; Stripe's two magic words in it decide what the bank will say. */
export function updateDispute(dispute: Dispute, answer: Answer): Decision<Dispute> {
  const hasWords = Object.keys(answer.evidence).length > 0
  if (hasWords && !isOpen(dispute)) {
    throw refused(`This dispute is already closed: it has a status of ${dispute.status}.`)
  }
  const isSent = hasWords && answer.isSubmitted
  const isInquiry = dispute.status.startsWith('warning')
  const { evidence_details: details } = dispute
  const updated: Dispute = {
    ...dispute,
    metadata: { ...dispute.metadata, ...answer.metadata },
    evidence: { ...dispute.evidence, ...answer.evidence },
    evidence_details: {
      ...details,
      has_evidence: details.has_evidence || hasWords,
      submission_count: details.submission_count + (isSent ? 1 : 0),
      submission_method: isSent ? 'manual' : details.submission_method,
    },
    ...(isSent ? { status: isInquiry ? 'warning_under_review' : 'under_review' } : {}),
  }
  return {
    outcome: updated,
    saved: [updated],
    events: [
      {
        type: 'charge.dispute.updated',
        object: updated,
        previous: {
          evidence: dispute.evidence,
          evidence_details: details,
          metadata: dispute.metadata,
          status: dispute.status,
        },
      },
    ],
    tasks: isSent ? verdictTasks(updated) : [],
  }
}

function verdictTasks({ id, evidence }: Dispute): Task[] {
  const text = evidence.uncategorized_text
  const outcome = text === 'winning_evidence' ? 'won' : text === 'losing_evidence' ? 'lost' : null
  return outcome === null ? [] : [{ kind: 'verdict', objectId: id, outcome, delay: 'bank' }]
}

/** The bank's verdict, or the shop's surrender. */
export function closeDispute(
  dispute: Dispute,
  outcome: 'won' | 'lost',
  moment: Moment,
): Decision<Dispute> {
  if (!isOpen(dispute)) {
    throw refused(`This dispute is already closed: it has a status of ${dispute.status}.`)
  }
  const previous = { status: dispute.status }
  if (dispute.status.startsWith('warning')) {
    const closed: Dispute = { ...dispute, status: 'warning_closed' }
    const events: EventDraft[] = [{ type: 'charge.dispute.closed', object: closed, previous }]
    return { outcome: closed, saved: [closed], events }
  }
  if (outcome === 'lost') {
    const lost: Dispute = { ...dispute, status: 'lost' }
    const events: EventDraft[] = [{ type: 'charge.dispute.closed', object: lost, previous }]
    return { outcome: lost, saved: [lost], events }
  }
  const reinstated = newDisputeTransaction(dispute, 'reinstated', moment)
  const won: Dispute = {
    ...dispute,
    status: 'won',
    is_charge_refundable: true,
    balance_transactions: [...dispute.balance_transactions, reinstated],
  }
  return {
    outcome: won,
    saved: [won],
    events: [
      { type: 'charge.dispute.closed', object: won, previous },
      { type: 'charge.dispute.funds_reinstated', object: won },
    ],
  }
}
