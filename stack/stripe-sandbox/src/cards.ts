import type { DisputeReason } from './shapes/disputes.ts'

/** What is kept of a card: never its number, never its security code. */
export type Card = { brand: string; last4: string; expMonth: number; expYear: number }

export type Decline = { code: string; declineCode: string; message: string }
/** What will happen to a payment by this card or account. */
export type Behaviour = {
  needsAuthentication: boolean
  decline: Decline | null
  /** Refunds take their time, or are sent back by the bank after all. */
  refunds?: 'pending' | 'fail'
  dispute?: { reason: DisputeReason; isInquiry: boolean }
  /** How a bank answers a direct debit later. */
  debit?: { outcome: 'succeeded' | 'failed'; isSlow: boolean }
}
export type CardEntry = { card: Card; behaviour: Behaviour }
export type CardFault = { field: 'number' | 'expiry' | 'cvc'; message: string }

const declines = {
  generic: decline('card_declined', 'generic_decline', 'Your card was declined.'),
  funds: decline(
    'card_declined',
    'insufficient_funds',
    'Your card has insufficient funds. Try a different card.',
  ),
  lost: decline('card_declined', 'lost_card', 'Your card was declined.'),
  stolen: decline('card_declined', 'stolen_card', 'Your card was declined.'),
  expired: decline('expired_card', 'expired_card', 'Your card has expired.'),
  cvc: decline('incorrect_cvc', 'incorrect_cvc', "Your card's security code is incorrect."),
  processing: decline(
    'processing_error',
    'processing_error',
    'An error occurred while processing your card. Try again in a little bit.',
  ),
  notTest: decline(
    'card_declined',
    'test_mode_live_card',
    'Your card was declined. Your request was in test mode, but used a non test card.',
  ),
}

export const approved: Behaviour = { needsAuthentication: false, decline: null }
const authenticated: Behaviour = { needsAuthentication: true, decline: null }

/** Stripe's published test numbers. Any other number is declined, as in Stripe's test mode. */
const testNumbers = new Map<string, Behaviour>([
  ['4242424242424242', approved],
  ['4000056655665556', approved],
  ['5555555555554444', approved],
  ['5200828282828210', approved],
  ['378282246310005', approved],
  ['4000002500003155', authenticated],
  ['4000002760003184', authenticated],
  ['4000000000003220', authenticated],
  ['4000008260003178', { needsAuthentication: true, decline: declines.funds }],
  ['4000000000000002', { needsAuthentication: false, decline: declines.generic }],
  ['4000000000009995', { needsAuthentication: false, decline: declines.funds }],
  ['4000000000009987', { needsAuthentication: false, decline: declines.lost }],
  ['4000000000009979', { needsAuthentication: false, decline: declines.stolen }],
  ['4000000000000069', { needsAuthentication: false, decline: declines.expired }],
  ['4000000000000127', { needsAuthentication: false, decline: declines.cvc }],
  ['4000000000000119', { needsAuthentication: false, decline: declines.processing }],
  ['4000000000007726', { ...approved, refunds: 'pending' }],
  ['4000000000005126', { ...approved, refunds: 'fail' }],
  ['4000000000000259', { ...approved, dispute: { reason: 'fraudulent', isInquiry: false } }],
  [
    '4000000000002685',
    { ...approved, dispute: { reason: 'product_not_received', isInquiry: false } },
  ],
  ['4000000000001976', { ...approved, dispute: { reason: 'fraudulent', isInquiry: true } }],
])

function decline(code: string, declineCode: string, message: string): Decline {
  return { code, declineCode, message }
}

/** Reads what a shopper typed, or says which field is wrong. */
export function parseCard(
  fields: { number: string; expiry: string; cvc: string },
  now: Date,
): CardEntry | CardFault {
  const number = fields.number.replaceAll(/[\s-]/g, '')
  if (!/^\d{12,19}$/.test(number) || !passesLuhn(number)) {
    return { field: 'number', message: 'Your card number is invalid.' }
  }
  const brand = brandOf(number)
  const expiry = parseExpiry(fields.expiry)
  if (expiry === null) {
    return { field: 'expiry', message: "Your card's expiration date is invalid." }
  }
  const thisMonth = now.getUTCFullYear() * 12 + now.getUTCMonth() + 1
  const lastMonth = expiry.year * 12 + expiry.month
  if (lastMonth < thisMonth) {
    return { field: 'expiry', message: "Your card's expiration date is in the past." }
  }
  // No card is issued for fifty years: further ahead is a slip of the finger.
  if (lastMonth > thisMonth + 50 * 12) {
    return { field: 'expiry', message: "Your card's expiration year is invalid." }
  }
  const cvcLength = brand === 'amex' ? 4 : 3
  if (!/^\d+$/.test(fields.cvc) || fields.cvc.length !== cvcLength) {
    return { field: 'cvc', message: "Your card's security code is invalid." }
  }
  return {
    card: { brand, last4: number.slice(-4), expMonth: expiry.month, expYear: expiry.year },
    behaviour: testNumbers.get(number) ?? { needsAuthentication: false, decline: declines.notTest },
  }
}

function passesLuhn(number: string): boolean {
  let sum = 0
  for (let position = 0; position < number.length; position++) {
    const digit = Number(number[number.length - 1 - position])
    const doubled = position % 2 === 1 ? digit * 2 : digit
    sum += doubled > 9 ? doubled - 9 : doubled
  }
  return sum % 10 === 0
}

function parseExpiry(text: string): { month: number; year: number } | null {
  const match = /^\s*(\d{1,2})\s*[/-]?\s*(\d{4}|\d{2})\s*$/.exec(text)
  if (match === null) return null
  const month = Number(match[1])
  const year = Number(match[2])
  if (month < 1 || month > 12) return null
  return { month, year: year < 100 ? 2000 + year : year }
}

function brandOf(number: string): string {
  if (number.startsWith('4')) return 'visa'
  if (/^3[47]/.test(number)) return 'amex'
  if (/^(5[1-5]|2[2-7])/.test(number)) return 'mastercard'
  return 'unknown'
}
