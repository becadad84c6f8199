import type { Address, PaymentMethod } from '@halles/contracts/gen/http/orders'

/** A checkout before it is bought; kept in the session, so that its pages need no scripts. */
export type CheckoutDraft = {
  /** The `Idempotency-Key`: another one for each thing that is bought. */
  key: string
  /** Empty where the account has one. */
  email: string
  address: Address
  method: PaymentMethod
}

export type PlacedCheckout = {
  key: string
  orderId: string
  /** Where to pay; null where nothing is paid online. */
  redirectUrl: string | null
}
