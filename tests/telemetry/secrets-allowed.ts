import type { Kind } from './secrets-marks.ts'

type Allowed = { kinds: readonly Kind[]; because: string }

const account = 'Customers owns who its customers are.'
const address = 'Customers keeps the addresses that people save.'
const poison = 'The test put it into an event itself, which a consumer could not apply.'

/** What is kept of people by column, and why. No secret is ever on this list. */
export const allowed: Readonly<Record<string, Allowed>> = {
  'users.customers.email': { kinds: ['email'], because: account },
  'users.customers.name': { kinds: ['name'], because: account },
  'users.addresses.name': { kinds: ['name'], because: address },
  'users.addresses.line1': { kinds: ['address'], because: address },
  'users.addresses.line2': { kinds: ['phone'], because: address },
  'users.addresses.postal_code': { kinds: ['address'], because: address },
  'users.addresses.city': { kinds: ['address'], because: address },
  'users.addresses.region': { kinds: ['address'], because: address },
  'credentials.credentials.email': { kinds: ['email'], because: 'People sign in with it.' },
  'orders.orders.email': { kinds: ['email'], because: 'A guest has no account to be told by.' },
  'orders.orders.shipping_address': {
    kinds: ['name', 'address', 'phone'],
    because: 'The goods go there.',
  },
  'orders.orders.cancellation_reason': { kinds: ['note'], because: 'The staff reads it.' },
  'orders.order_timeline.details': { kinds: ['note'], because: 'The time-line tells the reason.' },
  'payments.payments.email': { kinds: ['email'], because: 'The provider sends the receipt there.' },
  'payments.provider_events.body': {
    kinds: ['email'],
    because: 'What the provider signed is kept as it came, to be applied again.',
  },
  'messages.topic_messages.message': { kinds: ['note'], because: poison },
  'messages.dead_letters.message': { kinds: ['note'], because: poison },
}
