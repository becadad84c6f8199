import assert from 'node:assert/strict'
import { test } from 'node:test'
import { demoCatalogue } from '../../src/demo-catalogue.ts'

test('the demo catalogue has products on six stalls, each told apart by slug and SKU', () => {
  const variants = demoCatalogue.flatMap((product) => product.variants)
  assert.equal(demoCatalogue.length, 24)
  assert.equal(new Set(demoCatalogue.map(({ category }) => category)).size, 6)
  assert.equal(new Set(demoCatalogue.map(({ slug }) => slug)).size, demoCatalogue.length)
  assert.equal(new Set(variants.map(({ sku }) => sku)).size, variants.length)
})

for (const { title, options, variants, descriptionHtml } of demoCatalogue) {
  test(`${title} of the demo catalogue is described and priced in each of its variants`, () => {
    assert.ok(descriptionHtml.length > 200)
    for (const { optionValues, price, compareAtPrice } of variants) {
      assert.equal(optionValues.length, options.length)
      assert.equal(price.currency, 'EUR')
      assert.ok(price.amountMinor > 0)
      assert.ok(!compareAtPrice || compareAtPrice.amountMinor > price.amountMinor)
    }
    const values = variants.map(({ optionValues }) => optionValues.join())
    assert.equal(new Set(values).size, values.length)
  })
}
