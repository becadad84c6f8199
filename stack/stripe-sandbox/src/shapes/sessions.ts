import type Stripe from 'stripe'
import type { LineParameters, SessionParameters } from '../session-parameters.ts'
import type { Moment } from './moment.ts'
import type { MethodType } from './payment-methods.ts'

export type Session = Stripe.Checkout.Session
/** On the wire a decimal is a string; the SDK turns it into its own type. */
type Price = Omit<Stripe.Price, 'unit_amount_decimal'> & { unit_amount_decimal: string | null }
export type LineItem = Omit<Stripe.LineItem, 'price'> & { price: Price }

export function newSession(
  parameters: SessionParameters,
  { at, mint }: Moment,
  options: { publicUrl: string; expiresAt: number; methodTypes: MethodType[] },
): Session {
  const id = mint('cs_test_')
  const { excludedTypes } = parameters
  return {
    id,
    object: 'checkout.session',
    adaptive_pricing: { enabled: false },
    after_expiration: null,
    allow_promotion_codes: null,
    allowed_payment_method_types: parameters.allowedTypes,
    amount_subtotal: parameters.amountTotal,
    amount_total: parameters.amountTotal,
    automatic_tax: { enabled: false, liability: null, provider: null, status: null },
    billing_address_collection: null,
    cancel_url: parameters.cancelUrl ?? null,
    client_reference_id: parameters.clientReferenceId ?? null,
    client_secret: null,
    collected_information: null,
    consent: null,
    consent_collection: null,
    created: at,
    currency: parameters.currency,
    currency_conversion: null,
    custom_fields: [],
    custom_text: {
      after_submit: null,
      shipping_address: null,
      submit: null,
      terms_of_service_acceptance: null,
    },
    customer: null,
    customer_account: null,
    customer_creation: 'if_required',
    customer_details: customerDetails(parameters.customerEmail ?? null),
    customer_email: parameters.customerEmail ?? null,
    discounts: [],
    ...(excludedTypes.length > 0 ? { excluded_payment_method_types: excludedTypes } : {}),
    expires_at: options.expiresAt,
    integration_identifier: null,
    invoice: null,
    invoice_creation: null,
    livemode: false,
    locale: parameters.locale ?? null,
    managed_payments: { enabled: false },
    metadata: parameters.metadata,
    mode: 'payment',
    origin_context: null,
    payment_intent: null,
    payment_link: null,
    payment_method_collection: 'if_required',
    payment_method_configuration_details: null,
    payment_method_options: { card: { request_three_d_secure: 'automatic' } },
    payment_method_types: options.methodTypes,
    payment_status: 'unpaid',
    permissions: null,
    phone_number_collection: { enabled: false },
    recovered_from: null,
    saved_payment_method_options: null,
    setup_intent: null,
    shipping_address_collection: null,
    shipping_cost: null,
    shipping_options: [],
    status: 'open',
    submit_type: parameters.submitType ?? null,
    subscription: null,
    success_url: parameters.successUrl,
    total_details: { amount_discount: 0, amount_shipping: 0, amount_tax: 0 },
    ui_mode: 'hosted_page',
    url: `${options.publicUrl}/c/pay/${id}`,
    wallet_options: null,
  }
}

export function customerDetails(email: string | null): Session['customer_details'] {
  if (email === null) return null
  return {
    address: null,
    business_name: null,
    email,
    individual_name: null,
    name: null,
    phone: null,
    tax_exempt: 'none',
    tax_ids: [],
  }
}

export function newLineItem(line: LineParameters, { at, mint }: Moment): LineItem {
  const amount = line.unitAmount * line.quantity
  return {
    id: mint('li_1'),
    object: 'item',
    adjustable_quantity: null,
    amount_discount: 0,
    amount_subtotal: amount,
    amount_tax: 0,
    amount_total: amount,
    currency: line.currency,
    description: line.name,
    metadata: line.metadata,
    price: {
      id: mint('price_1'),
      object: 'price',
      active: false,
      billing_scheme: 'per_unit',
      created: at,
      currency: line.currency,
      custom_unit_amount: null,
      livemode: false,
      lookup_key: null,
      metadata: {},
      nickname: null,
      product: mint('prod_'),
      recurring: null,
      tax_behavior: 'unspecified',
      tiers_mode: null,
      transform_quantity: null,
      type: 'one_time',
      unit_amount: line.unitAmount,
      unit_amount_decimal: String(line.unitAmount),
    },
    quantity: line.quantity,
  }
}
