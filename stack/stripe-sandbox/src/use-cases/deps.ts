import type { Mint } from '../ids.ts'
import type { Moment } from '../shapes/moment.ts'
import type { MethodType } from '../shapes/payment-methods.ts'
import type { Store } from '../store.ts'

export type Deps = {
  store: Store
  /** Milliseconds since 1970. */
  clock: () => number
  mint: Mint
  publicUrl: () => string
  minimumSessionSeconds: number
  /** What the account has switched on in the dashboard. */
  paymentMethods: readonly MethodType[]
  /** How long a bank takes for a refund, a debit or a verdict. */
  bankDelayMs: number
  /** How long a bank holds money for a capture. */
  authorizationMs: number
  /** Whether events of this type go to the webhook address. */
  isSubscribed: (type: string) => boolean
  wakeWebhooks: () => void
  wakeTasks: () => void
}

/** Who caused a change; nulls for what happens on the hosted page or by time. */
export type Cause = { id: string | null; idempotency_key: string | null }
export const noCause: Cause = { id: null, idempotency_key: null }

export function momentOf({ clock, mint }: Deps): Moment {
  return { at: Math.floor(clock() / 1000), mint }
}
