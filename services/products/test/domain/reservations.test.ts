import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  cancel,
  checkRepeated,
  mergeLines,
  type OfferedVariant,
  release,
  reserve,
  sell,
  takeBack,
} from '../../src/domain/reservations.ts'

const anOffer = (offer: Partial<OfferedVariant> = {}): OfferedVariant => ({
  variantId: 'v1',
  productId: 'p1',
  onHand: 10,
  reserved: 0,
  availability: 'in_stock',
  sku: 'S',
  title: 'T',
  variantTitle: 'Default',
  unitAmountMinor: 100,
  currency: 'EUR',
  isSold: true,
  ...offer,
})

test('lines of the same variant are one line', () => {
  const lines = mergeLines([
    { variantId: 'a', quantity: 1 },
    { variantId: 'b', quantity: 2 },
    { variantId: 'a', quantity: 3 },
  ])
  assert.deepEqual(lines, [
    { variantId: 'a', quantity: 4 },
    { variantId: 'b', quantity: 2 },
  ])
})

test('an order for more than is available is told what there is', () => {
  const lines = [
    { variantId: 'v1', quantity: 8 },
    { variantId: 'v2', quantity: 1 },
  ]
  const offered = [anOffer({ reserved: 3 }), anOffer({ variantId: 'v2' })]
  assert.throws(() => reserve(lines, offered), {
    code: 'OUT_OF_STOCK',
    details: { lines: [{ variantId: 'v1', requested: 8, available: 7 }] },
  })
})

test('a variant that is unknown or not for sale is not found', () => {
  const lines = [{ variantId: 'v1', quantity: 1 }]
  assert.throws(() => reserve(lines, []), { code: 'VARIANT_NOT_FOUND' })
  assert.throws(() => reserve(lines, [anOffer({ isSold: false })]), { code: 'VARIANT_NOT_FOUND' })
})

test('a reservation tells the products whose availability changes, and only those', () => {
  const crossedBy = (quantity: number) =>
    reserve([{ variantId: 'v1', quantity }], [anOffer()]).crossed
  assert.deepEqual(crossedBy(4), [])
  assert.deepEqual(crossedBy(5), ['p1'])
  assert.deepEqual(crossedBy(10), ['p1'])
})

test('released lines give back what they held', () => {
  const stock = [anOffer({ onHand: 5, reserved: 3, availability: 'low_stock' })]
  const { moves, crossed } = release([{ variantId: 'v1', quantity: 1 }], stock)
  assert.deepEqual(moves, [{ variantId: 'v1', onHand: 0, reserved: -1 }])
  assert.deepEqual(crossed, [])
})

test('a sale of held pieces leaves the availability as it is', () => {
  const lines = [{ variantId: 'v1', quantity: 3, taken: 0, returned: 0 }]
  const stock = [anOffer({ onHand: 5, reserved: 3, availability: 'low_stock' })]
  const sale = sell({ id: 'r', status: 'held', lines }, stock)
  assert.deepEqual(sale.moves, [{ variantId: 'v1', onHand: -3, reserved: -3 }])
  assert.deepEqual([sale.missing, sale.crossed], [0, []])
})

test('a sale after expiry takes what is available and counts the rest as missing', () => {
  const lines = [{ variantId: 'v1', quantity: 3, taken: 0, returned: 0 }]
  const stock = [anOffer({ onHand: 5, reserved: 3, availability: 'low_stock' })]
  const sale = sell({ id: 'r', status: 'released', lines }, stock)
  assert.deepEqual(sale.moves, [{ variantId: 'v1', onHand: -2, reserved: 0 }])
  assert.deepEqual([sale.missing, sale.crossed], [1, ['p1']])
  assert.deepEqual(sale.lines, [{ variantId: 'v1', quantity: 3, taken: 2, returned: 0 }])
})

test('a cancelled order that was sold returns what it took', () => {
  const lines = [{ variantId: 'v1', quantity: 3, taken: 2, returned: 0 }]
  const { moves } = cancel({ id: 'r', status: 'sold', lines }, [anOffer()])
  assert.deepEqual(moves, [{ variantId: 'v1', onHand: 2, reserved: 0 }])
})

test('pieces that come back are never more than the sale took, and a cancellation returns the rest', () => {
  const lines = [{ variantId: 'v1', quantity: 3, taken: 2, returned: 1 }]
  const sold = { id: 'r', status: 'sold', lines } as const
  const back = takeBack(sold, [{ variantId: 'v1', quantity: 3 }], [anOffer()])
  assert.deepEqual(back.lines, [{ variantId: 'v1', quantity: 1 }])
  assert.deepEqual(back.moves, [{ variantId: 'v1', onHand: 1, reserved: 0 }])
  assert.deepEqual(takeBack(sold, [{ variantId: 'v2', quantity: 3 }], [anOffer()]).moves, [])
  assert.deepEqual(takeBack({ ...sold, status: 'released' }, lines, [anOffer()]).moves, [])
  assert.deepEqual(cancel(sold, [anOffer()]).moves, [{ variantId: 'v1', onHand: 1, reserved: 0 }])
})

test('a repeated reservation must ask for the same and must not be released', () => {
  const held = [{ variantId: 'a', quantity: 1 }]
  checkRepeated('held', held, held)
  checkRepeated('sold', held, held)
  assert.throws(() => checkRepeated('released', held, held), { code: 'RESERVATION_RELEASED' })
  const other = [{ variantId: 'a', quantity: 2 }]
  assert.throws(() => checkRepeated('held', held, other), { code: 'RESERVATION_DIFFERS' })
})
