import type Stripe from 'stripe'
import type { Decline } from '../cards.ts'
import type { Intent } from './intents.ts'
import type { Moment } from './moment.ts'
import { noBillingDetails, type PaymentMethod } from './payment-methods.ts'

export type Charge = Stripe.Charge
type MethodDetails = NonNullable<Charge['payment_method_details']>

/** A charge that the bank refused, holds for a capture, has still to answer, or has paid. */
export type ChargeResult =
  | { kind: 'declined'; decline: Decline }
  | { kind: 'authorized' }
  | { kind: 'pending' }
  | { kind: 'captured' }

export function newCharge(
  intent: Intent,
  method: PaymentMethod,
  result: ChargeResult,
  { at, mint }: Moment,
): Charge {
  const { kind } = result
  const decline = result.kind === 'declined' ? result.decline : null
  const isCaptured = kind === 'captured'
  return {
    id: mint(method.type === 'card' ? 'ch_3' : 'py_3'),
    object: 'charge',
    amount: intent.amount,
    amount_captured: isCaptured ? intent.amount : 0,
    amount_refunded: 0,
    application: null,
    application_fee: null,
    application_fee_amount: null,
    // With asynchronous capture, the default, Stripe fills this in later.
    balance_transaction: null,
    billing_details: { ...noBillingDetails, email: method.billing_details.email },
    calculated_statement_descriptor: 'SANDBOX',
    captured: isCaptured,
    created: at,
    currency: intent.currency,
    customer: null,
    description: intent.description,
    disputed: false,
    failure_balance_transaction: null,
    failure_code: decline?.code ?? null,
    failure_message: decline?.message ?? null,
    fraud_details: {},
    livemode: false,
    metadata: intent.metadata,
    on_behalf_of: null,
    outcome: outcomeOf(decline),
    paid: isCaptured || kind === 'authorized',
    payment_intent: intent.id,
    payment_method: method.id,
    payment_method_details: detailsOf(method, intent.amount),
    radar_options: {},
    receipt_email: intent.receipt_email,
    receipt_number: null,
    receipt_url: null,
    refunded: false,
    review: null,
    shipping: null,
    source: null,
    source_transfer: null,
    statement_descriptor: null,
    statement_descriptor_suffix: null,
    status: kind === 'declined' ? 'failed' : kind === 'pending' ? 'pending' : 'succeeded',
    transfer_data: null,
    transfer_group: null,
  }
}

export function outcomeOf(decline: Decline | null): NonNullable<Charge['outcome']> {
  const isApproved = decline === null
  return {
    advice_code: null,
    network_advice_code: null,
    network_decline_code: null,
    network_status: isApproved ? 'approved_by_network' : 'declined_by_network',
    reason: decline?.declineCode ?? null,
    risk_level: 'normal',
    risk_score: 20,
    seller_message: isApproved ? 'Payment complete.' : 'The bank declined the payment.',
    type: isApproved ? 'authorized' : 'issuer_declined',
  }
}

function detailsOf(method: PaymentMethod, amount: number): MethodDetails {
  const { card, sepa_debit: sepa, bacs_debit: bacs } = method
  if (sepa !== undefined) {
    const { generated_from: _, ...account } = sepa
    return { type: 'sepa_debit', sepa_debit: { ...account, mandate: null } }
  }
  if (bacs !== undefined) return { type: 'bacs_debit', bacs_debit: { ...bacs, mandate: null } }
  return {
    type: 'card',
    card: {
      amount_authorized: amount,
      authorization_code: null,
      brand: card?.brand ?? null,
      checks: card?.checks ?? null,
      country: card?.country ?? null,
      electronic_commerce_indicator: null,
      exp_month: card?.exp_month ?? 0,
      exp_year: card?.exp_year ?? 0,
      funding: 'credit',
      installments: null,
      last4: card?.last4 ?? null,
      mandate: null,
      network: card?.brand ?? null,
      network_transaction_id: null,
      regulated_status: 'unregulated',
      three_d_secure: null,
      transaction_link_id: null,
      wallet: null,
    },
  }
}
