import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAmount, parsePercent, toAmountText } from '../src/routes/office/amount.ts'
import { readRefund, toRefund, toSend } from '../src/routes/office/order-form.ts'
import { readPriceForm, toPriceChange } from '../src/routes/office/price-form.ts'
import { readVariants } from '../src/routes/office/variant-form.ts'

test('an amount is read with a point or a comma, in the digits of its currency', () => {
  const eur = (text: string) => parseAmount(text, 'EUR')?.amountMinor
  assert.deepEqual(['12', '12.9', '12,90', '1 290,05'].map(eur), [1_200, 1_290, 1_290, 129_005])
  assert.deepEqual(['', '-1', '1.234', '1e3', '12.9.0', 'dear'].map(eur), Array(6).fill(undefined))
  assert.equal(parseAmount('12', 'JPY')?.amountMinor, 12)
  assert.equal(parseAmount('12.5', 'JPY'), undefined)
  assert.equal(parseAmount('12', 'euro'), undefined)
  assert.equal(parseAmount('999999999999', 'EUR'), undefined)
})

test('an amount that is shown and read again is the same', () => {
  for (const amountMinor of [0, 1, 99, 1_290, 100_000]) {
    for (const currency of ['EUR', 'JPY', 'TND']) {
      const value = { amountMinor, currency }
      assert.deepEqual(parseAmount(toAmountText(value), currency), value)
    }
  }
})

test('a percentage is read with its sign, in hundredths', () => {
  assert.deepEqual(['-10', '+2,5', '5 %', '−0.25'].map(parsePercent), [-1_000, 250, 500, -25])
  assert.deepEqual(['', 'ten', '1.234'].map(parsePercent), [undefined, undefined, undefined])
})

function formOf(fields: readonly (readonly [string, string])[]): FormData {
  const form = new FormData()
  for (const [name, value] of fields) form.append(name, value)
  return form
}

const price = { amountMinor: 1_200, currency: 'EUR' }
const line = {
  variantId: 'v1',
  quantity: 5,
  fulfilledQuantity: 2,
  refundedQuantity: 1,
  unitPrice: price,
}
const order = { lines: [line], total: { amountMinor: 6_000, currency: 'EUR' } }

test('what was paid back is neither sent nor paid back again', () => {
  assert.equal(toSend(line), 2)
  assert.equal(toRefund(line), 4)
})

test('a refund is the price of its pieces, unless another amount is said', () => {
  const pieces = ['pieces-v1', '2'] as const
  const plain = readRefund(formOf([pieces]), order)
  assert.deepEqual(plain, {
    lines: [{ variantId: 'v1', quantity: 2 }],
    amount: { amountMinor: 2_400, currency: 'EUR' },
    isReturned: false,
    reason: '',
  })
  const less = readRefund(formOf([pieces, ['amount', '5,50']]), order)
  assert.equal('amount' in less && less.amount.amountMinor, 550)
  assert.deepEqual(readRefund(formOf([]), order), { fault: 'NOTHING_CHOSEN' })
  assert.deepEqual(readRefund(formOf([['amount', 'x']]), order), { fault: 'NO_AMOUNT' })
})

test('a change of prices names what it is for and by how much, or says what is missing', () => {
  const read = (fields: readonly (readonly [string, string])[]) =>
    toPriceChange(readPriceForm(formOf(fields)))
  assert.equal(read([['size', '-10']]), 'NOTHING_CHOSEN')
  assert.equal(
    read([
      ['q', 'pears'],
      ['size', 'much'],
    ]),
    'NO_NUMBER',
  )
  const chosen = read([
    ['variantIds', 'a,b'],
    ['variantIds', 'b'],
    ['kind', 'amount'],
    ['size', '-0,50'],
    ['rounding', '99'],
  ])
  assert.deepEqual(chosen, {
    selection: { variantIds: ['a', 'b'] },
    change: { amountMinor: -50 },
    rounding: '99',
    currency: 'EUR',
  })
})

test('a row of variants without SKU and one that is marked are left out', () => {
  const row = (id: string, sku: string, value: string, amount: string, pieces: string) =>
    [
      ['id', id],
      ['sku', sku],
      ['option-0', value],
      ['price', amount],
      ['compareAt', ''],
      ['quantity', pieces],
    ] as const
  const form = formOf([
    ['currency', 'EUR'],
    ['options', 'Size'],
    ['options', ''],
    ...row('1', 'A', 'Small', '12.00', ''),
    ...row('2', 'B', 'Large', '13.00', ''),
    ...row('', 'C', 'Huge', '14.00', '7'),
    ...row('', '', '', '', ''),
    ['remove', '2'],
  ])
  const plain = { compareAtPrice: null, price: { ...price } }
  assert.deepEqual(readVariants(form), {
    options: ['Size'],
    variants: [
      { ...plain, id: '1', sku: 'A', optionValues: ['Small'] },
      {
        ...plain,
        ...{ sku: 'C', quantity: 7, optionValues: ['Huge'] },
        price: { amountMinor: 1_400, currency: 'EUR' },
      },
    ],
  })
})
