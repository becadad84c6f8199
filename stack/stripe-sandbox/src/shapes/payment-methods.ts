import type Stripe from 'stripe'
import type { BankAccount } from '../bank-debits.ts'
import type { Card } from '../cards.ts'
import type { Moment } from './moment.ts'

export type PaymentMethod = Stripe.PaymentMethod
export type MethodType = 'card' | 'sepa_debit' | 'bacs_debit'

export const noBillingDetails = {
  address: null,
  email: null,
  name: null,
  phone: null,
  tax_id: null,
}

export function newCardMethod(card: Card, email: string | null, moment: Moment): PaymentMethod {
  return {
    ...newMethod('card', email, moment),
    card: {
      brand: card.brand,
      checks: { address_line1_check: null, address_postal_code_check: null, cvc_check: 'pass' },
      country: 'US',
      display_brand: card.brand,
      exp_month: card.expMonth,
      exp_year: card.expYear,
      fingerprint: null,
      funding: 'credit',
      generated_from: null,
      last4: card.last4,
      networks: { available: [card.brand], preferred: null },
      regulated_status: 'unregulated',
      three_d_secure_usage: { supported: true },
      wallet: null,
    },
  }
}

export function newDebitMethod(
  account: BankAccount,
  email: string | null,
  moment: Moment,
): PaymentMethod {
  const method = newMethod(account.type, email, moment)
  const { last4 } = account
  if (account.type === 'bacs_debit') {
    return { ...method, bacs_debit: { fingerprint: null, last4, sort_code: account.bankCode } }
  }
  return {
    ...method,
    sepa_debit: {
      bank_code: account.bankCode,
      branch_code: null,
      country: account.country,
      fingerprint: null,
      generated_from: { charge: null, setup_attempt: null },
      last4,
    },
  }
}

function newMethod(
  type: MethodType,
  email: string | null,
  { at, mint }: Moment,
): PaymentMethod & { type: MethodType } {
  return {
    id: mint('pm_1'),
    object: 'payment_method',
    allow_redisplay: 'limited',
    billing_details: { ...noBillingDetails, email },
    created: at,
    customer: null,
    customer_account: null,
    livemode: false,
    metadata: {},
    type,
  }
}
