import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  acceptPut,
  type Cart,
  cartTotal,
  type Line,
  maxLines,
  maxQuantity,
  mergeCarts,
  openCart,
} from '../src/domain.ts'

function aLine(variantId: string, changes: Partial<Line> = {}): Line {
  return {
    variantId,
    productId: 'p',
    title: 'Mug',
    variantTitle: 'Blue',
    quantity: 1,
    unitPrice: { amountMinor: 1000, currency: 'EUR' },
    unitPriceWhenAdded: { amountMinor: 900, currency: 'EUR' },
    availability: 'in_stock',
    ...changes,
  }
}

function aCart(lines: readonly Line[], customerId: string | null = null): Cart {
  return { id: 'c', customerId, version: 1, lines }
}

test('the total of a cart is what its lines cost now', () => {
  const cart = aCart([aLine('a', { quantity: 3 }), aLine('b')])
  assert.deepEqual(cartTotal(cart), { amountMinor: 4000, currency: 'EUR' })
})

test('an empty cart has no total, nor has one with two currencies', () => {
  assert.equal(cartTotal(aCart([])), null)
  const dollars = aLine('b', { unitPrice: { amountMinor: 5, currency: 'USD' } })
  assert.equal(cartTotal(aCart([aLine('a'), dollars])), null)
})

test('a merged cart has the quantities of both, and the price that its owner knew', () => {
  const own = aCart([aLine('a', { quantity: 2 })], 'me')
  const guestLine = aLine('a', {
    quantity: 3,
    unitPriceWhenAdded: { amountMinor: 700, currency: 'EUR' },
  })
  assert.deepEqual(mergeCarts(own, aCart([guestLine, aLine('b')])), [
    { variantId: 'a', quantity: 5, unitPriceWhenAdded: { amountMinor: 900, currency: 'EUR' } },
    { variantId: 'b', quantity: 1, unitPriceWhenAdded: { amountMinor: 900, currency: 'EUR' } },
  ])
})

test('a merge never exceeds the quantity of a line', () => {
  const quantities = fc.integer({ min: 1, max: maxQuantity })
  fc.assert(
    fc.property(quantities, quantities, (ours, theirs) => {
      const own = aCart([aLine('a', { quantity: ours })], 'me')
      const [line] = mergeCarts(own, aCart([aLine('a', { quantity: theirs })]))
      assert.equal(line?.quantity, Math.min(maxQuantity, ours + theirs))
    }),
  )
})

test('a merge that does not fit is refused as a whole', () => {
  const many = Array.from({ length: maxLines }, (_, index) => aLine(`own ${index}`))
  const own = aCart(many, 'me')
  assert.throws(() => mergeCarts(own, aCart([aLine('new')])), { code: 'CART_FULL' })
  assert.equal(mergeCarts(own, aCart([aLine('own 7')])).length, 1)
})

test('carts of two currencies do not merge', () => {
  const dollars = aLine('b', { unitPrice: { amountMinor: 5, currency: 'USD' } })
  assert.throws(() => mergeCarts(aCart([aLine('a')], 'me'), aCart([dollars])), {
    code: 'CURRENCY_MISMATCH',
  })
})

test("a customer's cart is hidden from guests and from other customers", () => {
  const cart = aCart([], 'me')
  assert.equal(openCart(cart, 'me'), cart)
  for (const other of [null, 'somebody']) {
    assert.throws(() => openCart(cart, other), { code: 'CART_NOT_FOUND' })
  }
  assert.throws(() => openCart(undefined, 'me'), { code: 'CART_NOT_FOUND' })
})

test('an existing line can change in a full cart of mixed currencies, a new one cannot', () => {
  const cart = aCart([])
  const outcome = {
    cart,
    isChanged: true,
    isSellable: true,
    isNewLine: false,
    lineCount: maxLines,
    isOtherCurrency: true,
  }
  assert.equal(acceptPut(outcome), cart)
  assert.throws(() => acceptPut({ ...outcome, isNewLine: true }), { code: 'CURRENCY_MISMATCH' })
  assert.throws(() => acceptPut({ ...outcome, isNewLine: true, isOtherCurrency: false }), {
    code: 'CART_FULL',
  })
  assert.throws(() => acceptPut({ ...outcome, isSellable: false }), { code: 'VARIANT_NOT_FOUND' })
})
