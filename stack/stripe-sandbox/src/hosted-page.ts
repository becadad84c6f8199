import { parseBacs, parseIban } from './bank-debits.ts'
import { parseCard } from './cards.ts'
import type { Checkout } from './domain/decision.ts'
import { ApiError } from './errors.ts'
import { parseForm } from './form.ts'
import { authenticationPage, type FormFault, messagePage, payPage } from './pages.ts'
import type { Intent } from './shapes/intents.ts'
import type { PaymentMethod } from './shapes/payment-methods.ts'
import type { Session } from './shapes/sessions.ts'
import type { Deps } from './use-cases/deps.ts'
import { authenticate, openCheckout, pay } from './use-cases/sessions.ts'

export type PageAnswer = { status: number; headers: { [name: string]: string }; body: string }

/** Shows what the shopper can do now: pay, confirm at the bank, or nothing any more. */
export function showPage(deps: Deps, sessionId: string): PageAnswer {
  const checkout = openCheckout(deps, sessionId)
  const closed = closedPage(checkout)
  if (checkout === null || closed !== null) return closed ?? unknownPage()
  const needsAuthentication = checkout.intent?.status === 'requires_action'
  const body = needsAuthentication ? authenticationPage(checkout) : payPage(checkout, null)
  return html(200, body, checkout.session)
}

/**
 * Takes a card or the answer of the bank. It reads the session, decides and saves without giving
 * up the event loop, so two posts at once can never both charge.
 */
export function submitPage(deps: Deps, sessionId: string, body: string): PageAnswer {
  const checkout = openCheckout(deps, sessionId)
  if (checkout?.session.status === 'complete') return toShop(checkout.session)
  const closed = closedPage(checkout)
  if (checkout === null || closed !== null) return closed ?? unknownPage()
  const fields = readFields(body)
  if (fields === null) return refusedPage(checkout, 400, malformedForm)
  const outcome =
    fields.authentication === ''
      ? submitFields(deps, checkout, fields)
      : submitAuthentication(deps, checkout, fields.authentication)
  if ('field' in outcome) return refusedPage(checkout, 402, outcome)
  if (outcome.kind === 'paid') return toShop(checkout.session)
  if (outcome.kind === 'declined') {
    return refusedPage(checkout, 402, { field: null, message: outcome.message })
  }
  return redirect(`/c/pay/${sessionId}`)
}

const malformedForm: FormFault = { field: null, message: 'The form could not be read. Try again.' }

const fieldNames = [
  'number',
  'expiry',
  'cvc',
  'iban',
  'sort_code',
  'account',
  'email',
  'authentication',
] as const
type Fields = { [name in (typeof fieldNames)[number]]: string }

function readFields(body: string): Fields | null {
  try {
    const form = parseForm(body)
    const entries = fieldNames.map((name) => {
      const value = form[name]
      return [name, typeof value === 'string' ? value : '']
    })
    return Object.fromEntries(entries) as Fields
  } catch (error) {
    if (error instanceof ApiError) return null
    throw error
  }
}

function submitFields(deps: Deps, checkout: Checkout, fields: Fields) {
  const entry = readEntry(deps, checkout.session, fields)
  if ('field' in entry) return entry
  const email = /^[^\s@]{1,64}@[^\s@]{1,255}$/.test(fields.email) ? fields.email : null
  return pay(deps, checkout, { ...entry, email })
}

function readEntry(
  deps: Deps,
  { payment_method_types: types }: Session,
  fields: Fields,
): ReturnType<typeof parseIban> | ReturnType<typeof parseCard> {
  if (types.includes('sepa_debit') && fields.iban !== '') return parseIban(fields.iban)
  if (types.includes('bacs_debit') && fields.account !== '') {
    return parseBacs(fields.sort_code, fields.account)
  }
  if (types.includes('card')) return parseCard(fields, new Date(deps.clock()))
  return types.includes('sepa_debit') ? parseIban('') : parseBacs('', '')
}

function submitAuthentication(deps: Deps, checkout: Checkout, answer: string) {
  if (!awaitsAuthentication(checkout)) {
    return { field: null, message: 'There is no authentication to complete. Enter a card.' }
  }
  return authenticate(deps, checkout, answer === 'complete')
}

function awaitsAuthentication(
  checkout: Checkout,
): checkout is Checkout & { intent: Intent; method: PaymentMethod } {
  return checkout.intent?.status === 'requires_action' && checkout.method !== null
}

function closedPage(checkout: Checkout | null): PageAnswer | null {
  if (checkout?.session.status === 'complete') {
    const body = messagePage('All done', 'This payment is complete.', null)
    return html(200, body, checkout.session)
  }
  if (checkout?.session.status === 'expired') {
    const text = 'Its time is over or the shop has ended it. Nothing was charged.'
    const body = messagePage('This checkout is closed', text, checkout.session)
    return html(410, body, checkout.session)
  }
  return null
}

function unknownPage(): PageAnswer {
  return html(404, messagePage('Not found', 'There is no such checkout.', null), null)
}

function refusedPage(checkout: Checkout, status: number, fault: FormFault): PageAnswer {
  return html(status, payPage(checkout, fault), checkout.session)
}

function toShop(session: Session): PageAnswer {
  const target = session.success_url ?? ''
  return redirect(new URL(target.replaceAll('{CHECKOUT_SESSION_ID}', session.id)).href)
}

function redirect(location: string): PageAnswer {
  return { status: 303, headers: { location }, body: '' }
}

function html(status: number, body: string, session: Session | null): PageAnswer {
  // Browsers apply form-action to the redirect after the post too, so the shop's origin is in it.
  const shop = session?.success_url ? new URL(session.success_url).origin : ''
  const policy = `default-src 'none'; style-src 'unsafe-inline'; form-action 'self' ${shop}; frame-ancestors 'none'; base-uri 'none'`
  return {
    status,
    headers: { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': policy },
    body,
  }
}
