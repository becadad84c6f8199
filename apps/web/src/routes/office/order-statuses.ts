/** As an order goes through them. */
export const orderStatuses = [
  'pending_payment',
  'paid',
  'partly_fulfilled',
  'fulfilled',
  'delivered',
  'cancelled',
  'refunded',
] as const

export type OrderStatus = (typeof orderStatuses)[number]
