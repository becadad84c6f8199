import { approved, type Behaviour, type Decline } from './cards.ts'

/** What is kept of a bank account: never its number. */
export type BankAccount = {
  type: 'sepa_debit' | 'bacs_debit'
  country: string
  bankCode: string
  last4: string
}

export type DebitEntry = { account: BankAccount; behaviour: Behaviour }
export type DebitFault = { field: 'iban' | 'account'; message: string }

export const debitFailure: Decline = {
  code: 'insufficient_funds',
  declineCode: 'insufficient_funds',
  message: "The customer's account has insufficient funds to cover this payment.",
}

const succeeds: Behaviour = { ...approved, debit: { outcome: 'succeeded', isSlow: false } }
const fails: Behaviour = { ...approved, debit: { outcome: 'failed', isSlow: false } }
const succeedsSlowly: Behaviour = { ...approved, debit: { outcome: 'succeeded', isSlow: true } }
const failsSlowly: Behaviour = { ...approved, debit: { outcome: 'failed', isSlow: true } }
const isDisputed: Behaviour = {
  ...succeeds,
  dispute: { reason: 'debit_not_authorized', isInquiry: false },
}

/** Stripe's published test accounts. Any other one is refused, as in Stripe's test mode. */
const testIbans = new Map<string, Behaviour>([
  ['DE89370400440532013000', succeeds],
  ['DE08370400440532013003', succeedsSlowly],
  ['DE62370400440532013001', fails],
  ['DE78370400440532013004', failsSlowly],
  ['DE35370400440532013002', isDisputed],
  ['AT611904300234573201', succeeds],
  ['AT321904300235473204', succeedsSlowly],
  ['AT861904300235473202', fails],
  ['AT051904300235473205', failsSlowly],
  ['AT591904300235473203', isDisputed],
  ['FR1420041010050500013M02606', succeeds],
  ['FR8420041010050500013M02607', fails],
])

const testSortCode = '108800'
const testAccounts = new Map<string, Behaviour>([
  ['00012345', succeeds],
  ['90012345', succeedsSlowly],
  ['33333335', fails],
  ['93333335', failsSlowly],
])

/** Reads a SEPA account number, or says what is wrong with it. */
export function parseIban(text: string): DebitEntry | DebitFault {
  const iban = text.replaceAll(/\s/g, '').toUpperCase()
  const behaviour = testIbans.get(iban)
  if (behaviour === undefined) {
    const isSound = /^[A-Z]{2}\d{2}[A-Z0-9]{11,30}$/.test(iban)
    const message = isSound
      ? 'Your IBAN must be a test IBAN in test mode.'
      : 'Your IBAN is invalid.'
    return { field: 'iban', message }
  }
  const account = { country: iban.slice(0, 2), bankCode: iban.slice(4, 12), last4: iban.slice(-4) }
  return { account: { type: 'sepa_debit', ...account }, behaviour }
}

/** Reads a British sort code and account number, or says what is wrong with them. */
export function parseBacs(sortCode: string, number: string): DebitEntry | DebitFault {
  const bankCode = sortCode.replaceAll(/[\s-]/g, '')
  const behaviour = bankCode === testSortCode ? testAccounts.get(number.trim()) : undefined
  if (behaviour === undefined) {
    return { field: 'account', message: 'Your bank account must be a test account in test mode.' }
  }
  const last4 = number.trim().slice(-4)
  return { account: { type: 'bacs_debit', country: 'GB', bankCode, last4 }, behaviour }
}
