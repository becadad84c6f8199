import assert from 'node:assert/strict'
import { test } from 'node:test'
import { countryCode } from '../../replay/countries.ts'
import { parseCsv } from '../../replay/csv.ts'
import { readInvoices } from '../../replay/invoices.ts'
import type { Plan } from '../../replay/plan.ts'
import { plan, toFile } from './rows.ts'

const alice = { customer: '17850' }
const heart = { code: '85123A', price: '2.55' }
const lantern = { code: '71053', price: '3.39' }

const reasons = ({ unplayed }: Plan) => unplayed.sums().map(({ reason, parts }) => [reason, parts])
const purchases = ({ steps }: Plan) => steps.filter((step) => step.kind === 'purchase')
const returns = ({ steps }: Plan) => steps.filter((step) => step.kind === 'return')

test('quotes, doubled quotes, line ends in a field and blank lines are read as CSV has them', () => {
  const text = 'a,"b ""B"", c",\r\n\r\n"two\nlines",x,y\n'
  assert.deepEqual(parseCsv(text), [
    { line: 1, fields: ['a', 'b "B", c', ''] },
    { line: 3, fields: ['two\nlines', 'x', 'y'] },
  ])
  assert.throws(() => parseCsv('a,b\n"never closed'), /Line 2 is not CSV/)
})

test('rows of one number are one invoice, in the order in which invoices begin', () => {
  const rows = [
    { invoice: '1', quantity: 1, ...heart, ...alice },
    { invoice: '2', quantity: 2, ...lantern },
    { invoice: '1', quantity: 3, ...lantern, ...alice },
  ]
  const { invoices } = readInvoices(toFile(rows))
  assert.deepEqual(
    invoices.map(({ number, customer, lines }) => [number, customer, lines.length]),
    [
      ['1', '17850', 2],
      ['2', null, 1],
    ],
  )
  assert.equal(invoices[0]?.atMs, Date.UTC(2010, 11, 1, 8, 26))
  assert.equal(readInvoices(toFile(rows), 1).invoices[0]?.lines.length, 2)
})

test('a row that cannot be read is counted with its reason', () => {
  const planned = plan([
    { invoice: '1', code: '71053', quantity: 1.5, price: '3.39' },
    { invoice: '1', quantity: 1, ...lantern, price: '3.399' },
    { invoice: '1', quantity: 1, ...lantern, date: '31/02/2010 08:26' },
    { invoice: '1', quantity: 1, ...lantern },
  ])
  assert.deepEqual(reasons(planned), [
    ['unreadable: its quantity is not a whole number', 1],
    ['unreadable: its price is not an amount in pounds', 1],
    ['unreadable: its date is not d/m/yyyy H:MM', 1],
  ])
  assert.equal(planned.steps.length, 1)
  assert.throws(() => readInvoices('InvoiceNo,StockCode\n1,2\n'), /no column Description, Quantity/)
})

test('what is no sale of goods is left out and counted, to the penny', () => {
  const planned = plan([
    { invoice: '1', quantity: 1, ...heart },
    { invoice: '1', code: 'POST', quantity: 1, price: '18.00', description: 'POSTAGE' },
    { invoice: '1', code: '', quantity: 1, price: '1.00' },
    { invoice: '1', quantity: 2, ...lantern, price: '0.00' },
    { invoice: '2', quantity: 56, code: '22139', price: '0', description: '' },
    { invoice: '3', quantity: -10, ...heart, price: '0', description: 'damages' },
    { invoice: '4', code: 'B', quantity: 1, price: '-11062.06' },
  ])
  assert.deepEqual(reasons(planned), [
    ['not goods (postage, fees, samples, manual entries …)', 2],
    ['no stock code', 1],
    ['no price', 1],
    ['no description', 1],
    ['a correction of the stock (negative quantity, no cancellation)', 1],
  ])
  const { fileMinor, purchasedMinor, returnedMinor } = planned.money
  assert.equal(fileMinor, 255 + 1_800 + 100 - 1_106_206)
  assert.equal(fileMinor, purchasedMinor - returnedMinor + planned.unplayed.amountMinor())
  assert.equal(planned.counts.playedPurchaseInvoices, 1)
  assert.equal(planned.counts.purchaseInvoices, 4)
})

test('a good has its most frequent description, its first price and enough pieces', () => {
  const { goods, stock, counts } = plan([
    { invoice: '1', quantity: 6, ...heart, description: 'HEART' },
    { invoice: '2', quantity: 5, code: '85123a', price: '2.95', description: 'WHITE HEART' },
    { invoice: '3', quantity: 1, ...heart, description: 'WHITE HEART' },
    { invoice: '3', quantity: 4, ...lantern },
  ])
  assert.deepEqual(goods, [
    { sku: '85123A', title: 'WHITE HEART', unitMinor: 255 },
    { sku: '71053', title: 'GOODS 71053', unitMinor: 339 },
  ])
  assert.equal(stock, 12)
  assert.equal(counts.priceChanges, 2)
})

test('a good twice at one price is one line; at two prices it is in two orders', () => {
  const planned = plan([
    { invoice: '1', quantity: 2, ...heart },
    { invoice: '1', quantity: 3, ...heart },
    { invoice: '1', quantity: 1, ...heart, price: '5.06' },
    { invoice: '1', quantity: 1, ...lantern },
  ])
  assert.deepEqual(
    purchases(planned).map(({ key, lines, totalMinor }) => [key, lines.length, totalMinor]),
    [
      ['1-1', 2, 5 * 255 + 339],
      ['1-2', 1, 506],
    ],
  )
})

test('what a line or a cart cannot hold goes on in another order', () => {
  const pieces = plan([{ invoice: '1', quantity: 2_880, ...heart }])
  assert.deepEqual(
    purchases(pieces).map(({ lines }) => lines.map(({ quantity }) => quantity)),
    [[999], [999], [882]],
  )
  const rows = Array.from({ length: 5 }, (_none, index) => ({
    invoice: '1',
    code: `1000${index}`,
    quantity: 1,
    price: '1.00',
  }))
  const lines = plan(rows, { maxLines: 2, maxQuantity: 999 })
  assert.deepEqual(
    purchases(lines).map((each) => each.lines.length),
    [2, 2, 1],
  )
})

test('a cancellation takes back the newest purchase at its price, then others, by order', () => {
  const planned = plan([
    { invoice: '1', quantity: 5, ...heart, ...alice },
    { invoice: '2', quantity: 2, ...heart, ...alice },
    { invoice: '3', quantity: 9, ...heart, price: '2.10', ...alice },
    { invoice: 'C4', quantity: -4, ...heart, ...alice },
    { invoice: 'C5', quantity: -4, ...heart, ...alice },
  ])
  assert.deepEqual(
    returns(planned).map(({ key, purchaseKey, lines, amountMinor }) => [
      key,
      purchaseKey,
      lines,
      amountMinor,
    ]),
    [
      ['C4-1', '2-1', [{ sku: '85123A', quantity: 2 }], 510],
      ['C4-2', '1-1', [{ sku: '85123A', quantity: 2 }], 510],
      ['C5-1', '1-1', [{ sku: '85123A', quantity: 3 }], 765],
      ['C5-2', '3-1', [{ sku: '85123A', quantity: 1 }], 255],
    ],
  )
  assert.deepEqual(reasons(planned), [])
})

test('a cancellation gives back no more than was paid, and only to who paid', () => {
  const planned = plan([
    { invoice: 'C0', quantity: -1, ...lantern, ...alice },
    { invoice: '1', quantity: 2, ...heart, ...alice },
    { invoice: '2', quantity: 9, ...heart },
    { invoice: 'C3', quantity: -3, ...heart, ...alice },
    { invoice: 'C4', quantity: -1, ...heart },
    { invoice: 'C5', code: 'D', quantity: -1, price: '27.50', ...alice },
  ])
  assert.deepEqual(
    returns(planned).map(({ lines, amountMinor }) => [lines[0]?.quantity, amountMinor]),
    [[2, 510]],
  )
  assert.deepEqual(reasons(planned), [
    ['a cancellation: not goods (postage, fees, samples, manual entries …)', 1],
    ['a cancellation of which the file has no purchase before it', 1],
    ['a cancellation of which the file has not so many, or at so low a price, before it', 1],
    ['a cancellation without a customer to find the purchase by', 1],
  ])
  const { fileMinor, purchasedMinor, returnedMinor } = planned.money
  assert.equal(fileMinor, purchasedMinor - returnedMinor + planned.unplayed.amountMinor())

  const dearer = plan([
    { invoice: '1', quantity: 2, ...heart, price: '1.00', ...alice },
    { invoice: 'C2', quantity: -2, ...heart, price: '1.50', ...alice },
  ])
  assert.equal(dearer.money.returnedMinor, 150)
})

test('the countries of the file become ISO codes', () => {
  const names = ['United Kingdom', 'EIRE', 'Channel Islands', 'Germany', 'Unspecified']
  assert.deepEqual(names.map(countryCode), ['GB', 'IE', 'JE', 'DE', 'GB'])
})
