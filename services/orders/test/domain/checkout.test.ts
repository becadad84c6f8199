import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  checkCart,
  checkCurrency,
  checkResumable,
  checkTotal,
  payableUntil,
  stockHoldSeconds,
} from '../../src/domain/checkout.ts'
import { createTotals, standardTaxRates } from '../../src/domain/totals.ts'
import { aLine, at, gbp, totalsOf } from '../fixtures.ts'

test('the total is the server’s: a stale one is refused with the difference by line', () => {
  const line = aLine(gbp(1_300))
  const totals = totalsOf({ lines: [line], country: 'GB' })
  const inCart = [{ variantId: line.variantId, quantity: 2, unitPrice: gbp(1_250) }]
  checkTotal({ lines: [line], totals }, inCart, gbp(2_600))
  assert.throws(() => checkTotal({ lines: [line], totals }, inCart, gbp(2_500)), {
    code: 'PRICE_CHANGED',
    details: {
      expectedTotal: gbp(2_500),
      actualTotal: gbp(2_600),
      totals,
      lines: [
        {
          variantId: line.variantId,
          title: 'Lamp',
          quantity: 2,
          unitPriceInCart: gbp(1_250),
          unitPrice: gbp(1_300),
        },
      ],
    },
  })
  checkCurrency([line], 'GBP')
  assert.throws(() => checkCurrency([line], 'EUR'), {
    code: 'CURRENCY_MISMATCH',
    errors: [
      { pointer: '/body/expectedTotal/currency', detail: 'is not the currency of the cart' },
    ],
  })
  assert.throws(() => checkCart([]), { code: 'CART_EMPTY' })
})

test('a checkout that can still be taken up leaves the provider its thirty minutes', () => {
  const minute = 60_000
  const resumedAt = new Date(at.getTime() + 4 * minute)
  assert.doesNotThrow(() => checkResumable(at, resumedAt))
  assert.ok(payableUntil(at, 'online').getTime() - resumedAt.getTime() > 30 * minute)
  const tooLate = new Date(resumedAt.getTime() + 1)
  assert.throws(() => checkResumable(at, tooLate), { code: 'CHECKOUT_ABANDONED' })
})

test('the stock is held for longer than the order can be paid; a transfer has a week', () => {
  for (const method of ['online', 'bank_transfer'] as const) {
    const payableMs = payableUntil(at, method).getTime() - at.getTime()
    assert.ok(stockHoldSeconds(method) * 1_000 > payableMs)
  }
  assert.equal(payableUntil(at, 'bank_transfer').getTime() - at.getTime(), 7 * 86_400_000)
})

test('without rules delivery is free and the tax is the part of the price that the table says', () => {
  const totals = createTotals({ shipping: [], taxRates: standardTaxRates })
  const lines = [aLine(gbp(1_250), 2), aLine(gbp(999), 1)]
  assert.deepEqual(totals({ lines, country: 'GB' }), {
    subtotal: gbp(3_499),
    shipping: gbp(0),
    taxIncluded: gbp(583),
    total: gbp(3_499),
  })
  assert.deepEqual(totals({ lines, country: 'US' }).taxIncluded, gbp(0))
})

test('the first shipping rule that fits is taken, and tax is included in it too', () => {
  const totals = createTotals({
    shipping: [
      {
        rule: 'free-over',
        countries: ['GB'],
        currency: 'GBP',
        amountMinor: 495,
        freeFromMinor: 3_000,
      },
      { rule: 'flat', currency: 'GBP', amountMinor: 1_500 },
    ],
    taxRates: { GB: 2_000 },
  })
  const of = (amount: number, country: string) =>
    totals({ lines: [aLine(gbp(amount), 1)], country })
  assert.deepEqual(of(2_999, 'GB').shipping, gbp(495))
  assert.deepEqual(of(2_999, 'GB').total, gbp(3_494))
  assert.deepEqual(of(2_999, 'GB').taxIncluded, gbp(582))
  assert.deepEqual(of(3_000, 'GB').shipping, gbp(0))
  assert.deepEqual(of(3_000, 'FR').shipping, gbp(1_500))
  const yen = { amountMinor: 100, currency: 'JPY' }
  assert.deepEqual(totals({ lines: [aLine(yen, 1)], country: 'GB' }).total, yen)
})

test('half a penny of tax is rounded up, exactly, at the largest amounts too', () => {
  const totals = createTotals({ shipping: [], taxRates: { AA: 10_000, BB: 2_550 } })
  const taxOf = (amount: number, country: string) =>
    totals({ lines: [aLine(gbp(amount), 1)], country }).taxIncluded.amountMinor
  assert.equal(taxOf(1, 'AA'), 1)
  assert.equal(taxOf(3, 'AA'), 2)
  assert.equal(taxOf(2, 'AA'), 1)
  for (const amount of [99_999_999_999, 99_999_999_998, 12_345_678_901]) {
    const exact = (2n * BigInt(amount) * 2_550n + 12_550n) / (2n * 12_550n)
    assert.equal(BigInt(taxOf(amount, 'BB')), exact)
  }
})
