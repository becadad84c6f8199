import { randomFillSync } from 'node:crypto'

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
// Bytes from 248 on are thrown away, so that each of the 62 letters is equally likely.
const fairBelow = 248

const lengths = {
  cs_test_: 58,
  pi_3: 23,
  ch_3: 23,
  py_3: 23,
  re_3: 23,
  pyr_1: 23,
  du_1: 23,
  txn_1: 23,
  evt_1: 23,
  pm_1: 23,
  li_1: 23,
  price_1: 23,
  prod_: 14,
  req_: 14,
  secret_: 25,
} as const

export type IdPrefix = keyof typeof lengths
export type Mint = (prefix: IdPrefix) => string

const pool = Buffer.alloc(8192)
let used = pool.length

/** A new random id in the form that Stripe gives to this kind of object. */
export const mintId: Mint = (prefix) => {
  let text: string = prefix
  const length = prefix.length + lengths[prefix]
  while (text.length < length) {
    if (used === pool.length) {
      randomFillSync(pool)
      used = 0
    }
    const byte = pool[used++] ?? fairBelow
    if (byte < fairBelow) text += alphabet[byte % 62]
  }
  return text
}
