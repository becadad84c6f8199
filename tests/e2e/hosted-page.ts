import assert from 'node:assert/strict'
import type { Order } from '@halles/contracts/gen/http/orders'

/** Well-known test numbers. */
export const card = {
  good: '4242424242424242',
  declined: '4000000000000002',
  needsAuthentication: '4000002500003155',
} as const

/** Fills in the provider's card page, as a browser would. */
export function postCard(order: Order, number: string): Promise<{ status: number; text: string }> {
  return post(order, { number, expiry: '12/40', cvc: '123' })
}

/** Answers the question of the shopper's bank. */
export function confirmAtBank(order: Order, authentication: 'complete' | 'fail') {
  return post(order, { authentication })
}

async function post(order: Order, fields: Record<string, string>) {
  const { redirectUrl } = order.payment
  assert.ok(redirectUrl, 'The order has no page to pay at.')
  const response = await fetch(redirectUrl, {
    method: 'POST',
    body: new URLSearchParams(fields),
    redirect: 'manual',
    signal: AbortSignal.timeout(20_000),
  })
  return { status: response.status, text: await response.text() }
}
