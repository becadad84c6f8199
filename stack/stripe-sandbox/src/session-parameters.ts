import { invalid } from './errors.ts'
import type { FormObject } from './form.ts'
import { type Metadata, type Parameters, readParameters } from './parameters.ts'
import type { MethodType } from './shapes/payment-methods.ts'

export type LineParameters = {
  name: string
  description: string | undefined
  images: string[]
  productMetadata: Metadata
  currency: string
  unitAmount: number
  quantity: number
  metadata: Metadata
}

export type SessionParameters = {
  lines: LineParameters[]
  currency: string
  amountTotal: number
  allowedTypes: string[] | null
  excludedTypes: string[]
  successUrl: string
  cancelUrl: string | undefined
  clientReferenceId: string | undefined
  customerEmail: string | undefined
  expiresAt: number | undefined
  locale: string | undefined
  submitType: string | undefined
  metadata: Metadata
  intent: {
    captureMethod: 'automatic' | 'automatic_async' | 'manual'
    metadata: Metadata
    description: string | undefined
    receiptEmail: string | undefined
  }
}

// Stripe's published minimum charges, in minor units; 50 where none is listed here.
const minimumCharges = new Map(Object.entries({ gbp: 30, jpy: 50, dkk: 250, nok: 300, sek: 300 }))
const maxCharge = 99_999_999
const maxLines = 100
const secondsPerDay = 86_400

/** Checks everything about a new Checkout Session that does not depend on the clock. */
export function parseSession(form: FormObject): SessionParameters {
  const parameters = readParameters(form)
  const mode = parameters.required('mode', parameters.text('mode'))
  if (mode !== 'payment') {
    throw invalid(`Invalid mode: the local sandbox covers 'payment' only.`, { param: 'mode' })
  }
  parameters.oneOf('ui_mode', ['hosted_page'])
  const lines = parseLines(parameters)
  const [first] = lines
  if (first === undefined) throw lineItemsMissing()
  const currency = parameters.text('currency')?.toLowerCase() ?? first.currency
  if (lines.some((line) => line.currency !== currency)) {
    throw invalid('All prices on a Checkout session must have the same `currency`.', {
      param: 'line_items',
    })
  }
  const allowedTypes = parseTypes(parameters, 'allowed_payment_method_types')
  const parsed = {
    lines,
    currency,
    allowedTypes: allowedTypes.length === 0 ? null : allowedTypes,
    excludedTypes: parseTypes(parameters, 'excluded_payment_method_types'),
    amountTotal: checkedTotal(lines, currency),
    successUrl: parameters.required('success_url', url(parameters, 'success_url')),
    cancelUrl: url(parameters, 'cancel_url'),
    clientReferenceId: parameters.text('client_reference_id', { maxLength: 200 }),
    customerEmail: email(parameters, 'customer_email'),
    expiresAt: parameters.integer('expires_at', { min: 0, max: 9_999_999_999 }),
    locale: parameters.text('locale'),
    submitType: parameters.oneOf('submit_type', ['auto', 'book', 'donate', 'pay']),
    metadata: parameters.metadata(),
    intent: parseIntentData(parameters.nested('payment_intent_data')),
  }
  parameters.group('expand')
  parameters.finish()
  return parsed
}

/** Stripe accepts an expiry from 30 minutes to 24 hours after the creation. */
export function checkExpiry(expiresAt: number, created: number, minimumSeconds: number): void {
  const param = 'expires_at'
  if (expiresAt < created + minimumSeconds) {
    const minutes = Math.round(minimumSeconds / 60)
    const message = `The \`expires_at\` timestamp must be at least ${minutes} minutes from Checkout Session creation.`
    throw invalid(message, { param })
  }
  if (expiresAt > created + secondsPerDay) {
    const message =
      'The `expires_at` timestamp must be less than 24 hours from Checkout Session creation.'
    throw invalid(message, { param })
  }
}

function parseIntentData(parameters: Parameters): SessionParameters['intent'] {
  const methods = ['automatic', 'automatic_async', 'manual'] as const
  const captureMethod = parameters.oneOf('capture_method', methods)
  const data = {
    captureMethod: captureMethod ?? 'automatic_async',
    metadata: parameters.metadata(),
    description: parameters.text('description', { maxLength: 1000 }),
    receiptEmail: email(parameters, 'receipt_email'),
  }
  parameters.finish()
  return data
}

const debitCurrencies: { [type: string]: string } = { sepa_debit: 'eur', bacs_debit: 'gbp' }

/**
 * The ways to pay that the shopper is offered: what the account has switched on and the payment
 * allows, filtered by the shop. Since 2026-09-30 Stripe takes no list of its own from the shop.
 */
export function chooseMethods(
  enabled: readonly MethodType[],
  { currency, intent, allowedTypes, excludedTypes }: SessionParameters,
): MethodType[] {
  const chosen = enabled.filter((type) => {
    if (allowedTypes !== null && !allowedTypes.includes(type)) return false
    if (excludedTypes.includes(type)) return false
    if (type === 'card') return true
    return debitCurrencies[type] === currency && intent.captureMethod !== 'manual'
  })
  if (chosen.length > 0) return chosen
  const message =
    'No valid payment method types for this Checkout Session. Please ensure that you have activated payment methods compatible with your chosen currency.'
  throw invalid(message, { param: 'allowed_payment_method_types' })
}

function parseTypes(parameters: Parameters, name: string): string[] {
  const types = parameters.texts(name)
  const wrong = types.find((type) => !/^[a-z][a-z0-9_]{1,39}$/.test(type))
  if (wrong === undefined) return types
  throw invalid(`The payment method type provided: ${wrong} is invalid.`, { param: name })
}

function lineItemsMissing() {
  return invalid('Missing required param: line_items.', {
    code: 'parameter_missing',
    param: 'line_items',
  })
}

function parseLines(parameters: Parameters): LineParameters[] {
  const lines = parameters.list('line_items')
  if (lines.length === 0) throw lineItemsMissing()
  if (lines.length > maxLines) {
    throw invalid(`A Checkout Session can have up to ${maxLines} line items.`, {
      param: 'line_items',
    })
  }
  return lines.map((line) => {
    const quantity = line.required('quantity', line.integer('quantity', { min: 1, max: 999_999 }))
    const metadata = line.metadata()
    line.required('price_data', line.group('price_data'))
    const price = line.nested('price_data')
    const currency = price.required('currency', price.text('currency')).toLowerCase()
    if (!/^[a-z]{3}$/.test(currency)) {
      throw invalid(`Invalid currency: ${currency}.`, { param: 'currency' })
    }
    const amount = price.integer('unit_amount', { min: 0, max: maxCharge })
    const unitAmount = price.required('unit_amount', amount)
    price.required('product_data', price.group('product_data'))
    const product = price.nested('product_data')
    const parsed: LineParameters = {
      name: product.required('name', product.text('name', { maxLength: 250 })),
      description: product.text('description', { maxLength: 40_000 }),
      images: product.texts('images').slice(0, 8),
      productMetadata: product.metadata(),
      currency,
      unitAmount,
      quantity,
      metadata,
    }
    price.oneOf('tax_behavior', ['unspecified'])
    for (const each of [product, price, line]) each.finish()
    return parsed
  })
}

function checkedTotal(lines: readonly LineParameters[], currency: string): number {
  const total = lines.reduce((sum, line) => sum + line.unitAmount * line.quantity, 0)
  const minimum = minimumCharges.get(currency) ?? 50
  if (total < minimum) {
    const message = `The Checkout Session's total amount due must add up to at least ${minimum} ${currency} (in minor units)`
    throw invalid(message, { code: 'amount_too_small', param: 'line_items' })
  }
  if (total > maxCharge) {
    const message = `The Checkout Session's total amount due must be no more than ${maxCharge} ${currency} (in minor units)`
    throw invalid(message, { code: 'amount_too_large', param: 'line_items' })
  }
  return total
}

function url(parameters: Parameters, name: string): string | undefined {
  const value = parameters.text(name)
  if (value === undefined) return undefined
  if (URL.canParse(value) && /^https?:/i.test(value)) return value
  throw invalid('Not a valid URL', { code: 'url_invalid', param: name })
}

function email(parameters: Parameters, name: string): string | undefined {
  const value = parameters.text(name, { maxLength: 800 })
  if (value === undefined || /^[^\s@]+@[^\s@]+$/.test(value)) return value
  throw invalid(`Invalid email address: ${value}`, { code: 'email_invalid', param: name })
}
