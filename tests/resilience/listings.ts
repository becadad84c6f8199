import type { Product } from '@halles/contracts/gen/http/products'
import type { Api } from '../e2e/api.ts'
import { attempt, codeOf, refuseUnlessDown } from './accounts.ts'
import type { Step } from './workload.ts'

/** A product whose price changes again and again. */
export type Listing = {
  productId: string
  variantId: string
  /** Of the product, as the last accepted change left it. */
  version: number
  /** Every price that was accepted, in order and never twice; the last is the newest. */
  amounts: number[]
  /** Asked for without an answer: may be in force or not. */
  unanswered?: number | undefined
}

/**
 * One step: the next price, on condition that nothing has changed it since. Up and down in turns,
 * so that neither the highest nor the lowest price is the newest.
 */
export async function changePrice(api: Api, token: string, listing: Listing): Promise<Step> {
  const { variantId, version, amounts } = listing
  const count = amounts.length
  const amountMinor = listing.unanswered ?? 100_000 + (count % 2 === 0 ? count : -count)
  listing.unanswered = amountMinor
  const answer = await attempt(() =>
    api.send('setPrice', {
      token,
      params: { variantId },
      headers: { 'if-match': `"${version}"` },
      body: { amountMinor, currency: 'EUR' },
    }),
  )
  if (answer?.status === 200) return accept(listing, (answer.body as Product).version)
  // Nobody else changes it: the earlier try at this change was applied.
  if (answer && codeOf(answer) === 'VERSION_MISMATCH') return accept(listing, version + 1)
  refuseUnlessDown(answer)
  return 'unanswered'
}

function accept(listing: Listing, version: number): Step {
  if (listing.unanswered === undefined) throw new Error('Nothing was asked for.')
  listing.amounts.push(listing.unanswered)
  listing.version = version
  listing.unanswered = undefined
  return 'accepted'
}
