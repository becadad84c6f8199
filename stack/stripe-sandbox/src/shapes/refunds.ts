import type Stripe from 'stripe'
import type { Metadata } from '../parameters.ts'
import type { Charge } from './charges.ts'
import type { Moment } from './moment.ts'

export type Refund = Stripe.Refund

export type RefundFields = {
  amount: number
  reason: string | undefined
  metadata: Metadata
  status: 'pending' | 'succeeded'
}

export function newRefund(charge: Charge, fields: RefundFields, { at, mint }: Moment): Refund {
  const isCard = charge.payment_method_details?.type === 'card'
  const refund: Refund = {
    id: mint(isCard ? 're_3' : 'pyr_1'),
    object: 'refund',
    amount: fields.amount,
    balance_transaction: null,
    charge: charge.id,
    created: at,
    currency: charge.currency,
    customer: null,
    customer_account: null,
    destination_details: destinationOf(charge),
    metadata: fields.metadata,
    payment_intent: charge.payment_intent,
    payment_method: charge.payment_method,
    reason: fields.reason ?? null,
    receipt_number: null,
    source_transfer_reversal: null,
    status: fields.status,
    transfer_reversal: null,
  }
  return fields.status === 'pending' ? { ...refund, pending_reason: 'processing' } : refund
}

function destinationOf(charge: Charge): NonNullable<Refund['destination_details']> {
  const type = charge.payment_method_details?.type
  if (type === 'sepa_debit') {
    return { eu_bank_transfer: { reference: null, reference_status: 'pending' }, type }
  }
  if (type === 'bacs_debit') {
    return { gb_bank_transfer: { reference: null, reference_status: 'pending' }, type }
  }
  // Money that was only held is let go; money that was taken is sent back.
  if (!charge.captured) return { card: { type: 'reversal' }, type: 'card' }
  return {
    card: {
      reference_status: 'pending',
      reference_type: 'acquirer_reference_number',
      type: 'refund',
    },
    type: 'card',
  }
}
