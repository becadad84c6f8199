import type Stripe from 'stripe'
import type { Charge } from './charges.ts'
import type { Moment } from './moment.ts'

export type Dispute = Stripe.Dispute
export type DisputeReason = (typeof disputeReasons)[number]
export type EvidenceText = (typeof evidenceTexts)[number]

export const disputeReasons = [
  'bank_cannot_process',
  'check_returned',
  'credit_not_processed',
  'customer_initiated',
  'debit_not_authorized',
  'duplicate',
  'fraudulent',
  'general',
  'incorrect_account_details',
  'insufficient_funds',
  'noncompliant',
  'product_not_received',
  'product_unacceptable',
  'subscription_canceled',
  'unrecognized',
] as const

/** The evidence that is text; files are not a part of the sandbox. */
export const evidenceTexts = [
  'access_activity_log',
  'billing_address',
  'cancellation_policy_disclosure',
  'cancellation_rebuttal',
  'customer_email_address',
  'customer_name',
  'customer_purchase_ip',
  'duplicate_charge_explanation',
  'duplicate_charge_id',
  'product_description',
  'refund_policy_disclosure',
  'refund_refusal_explanation',
  'service_date',
  'shipping_address',
  'shipping_carrier',
  'shipping_date',
  'shipping_tracking_number',
  'uncategorized_text',
] as const satisfies (keyof Dispute['evidence'])[]

const evidenceFiles = [
  'cancellation_policy',
  'customer_communication',
  'customer_signature',
  'duplicate_charge_documentation',
  'receipt',
  'refund_policy',
  'service_documentation',
  'shipping_documentation',
  'uncategorized_file',
] as const satisfies (keyof Dispute['evidence'])[]

// A shop has about a week to answer an inquiry or a dispute.
const answerSeconds = 7 * 86_400

export function newDispute(
  charge: Charge,
  fields: { amount: number; reason: DisputeReason; isInquiry: boolean },
  { at, mint }: Moment,
): Dispute {
  const { card } = charge.payment_method_details ?? {}
  const dispute: Dispute = {
    id: mint('du_1'),
    object: 'dispute',
    amount: fields.amount,
    balance_transactions: [],
    charge: charge.id,
    created: at,
    currency: charge.currency,
    enhanced_eligibility_types: [],
    evidence: emptyEvidence(),
    evidence_details: {
      due_by: at + answerSeconds,
      enhanced_eligibility: {},
      has_evidence: false,
      past_due: false,
      submission_count: 0,
      submission_method: 'not_submitted',
    },
    intended_submission_method: null,
    // An inquiry takes no money yet: a refund ends it.
    is_charge_refundable: fields.isInquiry,
    livemode: false,
    metadata: {},
    payment_intent: charge.payment_intent,
    reason: fields.reason,
    status: fields.isInquiry ? 'warning_needs_response' : 'needs_response',
  }
  if (card === undefined) return dispute
  const brand = card.brand ?? 'unknown'
  return {
    ...dispute,
    payment_method_details: {
      type: 'card',
      card: {
        brand,
        case_type: fields.isInquiry ? 'inquiry' : 'chargeback',
        network: brand,
        network_reason_code: null,
      },
    },
  }
}

function emptyEvidence(): Dispute['evidence'] {
  const none = <Name extends string>(names: readonly Name[]) =>
    Object.fromEntries(names.map((name) => [name, null])) as { [each in Name]: null }
  return { ...none(evidenceTexts), ...none(evidenceFiles), enhanced_evidence: {} }
}

// What Stripe charges for a dispute in euros, in minor units.
const disputeFee = 2_000

/** Money that a dispute takes out of the balance, or gives back to it. */
export function newDisputeTransaction(
  dispute: Dispute,
  direction: 'withdrawn' | 'reinstated',
  { at, mint }: Moment,
): Stripe.BalanceTransaction {
  const isWithdrawn = direction === 'withdrawn'
  const amount = isWithdrawn ? -dispute.amount : dispute.amount
  const fee = isWithdrawn ? disputeFee : 0
  const { currency } = dispute
  const feeDetail = {
    amount: fee,
    application: null,
    currency,
    description: 'Dispute fee',
    type: 'stripe_fee',
  }
  return {
    id: mint('txn_1'),
    object: 'balance_transaction',
    amount,
    available_on: at,
    balance_type: 'payments',
    created: at,
    currency,
    description: `Chargeback ${isWithdrawn ? 'withdrawal' : 'reversal'} for ${dispute.charge}`,
    exchange_rate: null,
    fee,
    fee_details: isWithdrawn ? [feeDetail] : [],
    net: amount - fee,
    reporting_category: isWithdrawn ? 'dispute' : 'dispute_reversal',
    source: dispute.id,
    status: 'available',
    type: 'adjustment',
  }
}
