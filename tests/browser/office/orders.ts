import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '@halles/kit/testing'
import { findViolations, inspect, type World } from '../browser.ts'
import type { Office } from './office.ts'

/** What the staff do with orders. */
export function testOrders({ shop }: World, office: Office): void {
  test('an order is sent in parts and delivered', async () => {
    const { page } = office
    const { variantId, product } = await shop.sell()
    const order = await shop.paidOrder(variantId, 3)
    await office.find(page, '/office/orders', order.email ?? '')
    await page.getByRole('link', { name: order.id.slice(-8) }).click()
    await inspect(page, 'office/order')
    const pieces = page.getByLabel(product.title).first()
    await pieces.fill('2')
    await page.getByLabel('Carrier').fill('Porte')
    await page.getByLabel('Tracking number').fill('PF-1')
    await page.getByRole('button', { name: 'Record as sent' }).click()
    await office.done(page, 'The fulfilment was recorded.')
    assert.equal((await office.readOrder(order)).status, 'partly_fulfilled')
    await page.getByRole('button', { name: 'Record as sent' }).click()
    await page.getByText('Sent', { exact: true }).first().waitFor()
    await eventually(async () => assert.equal((await office.readOrder(order)).status, 'fulfilled'))
    for (const left of [2, 1]) {
      const deliver = page.getByRole('button', { name: 'Record as delivered' })
      await eventually(async () => assert.equal(await deliver.count(), left))
      await deliver.first().click()
    }
    await eventually(async () => assert.equal((await office.readOrder(order)).status, 'delivered'))
    await page.getByRole('heading', { name: 'What happened' }).waitFor()
  })

  test('money goes back by line, with the sum before and one refund however often it is sent', async () => {
    const { page } = office
    const { variantId, product } = await shop.sell({ amountMinor: 1_200 })
    const order = await shop.paidOrder(variantId, 3)
    await page.goto(`/office/orders/${order.id}`)
    await page.getByLabel(product.title).last().fill('2')
    await page.getByText('To refund: €24.00').waitFor()
    await page.getByRole('textbox', { name: 'Reason' }).fill('bruised')
    await page.getByRole('button', { name: 'Continue…' }).click()
    await page.getByText('Give €24.00 back').waitFor()
    assert.deepEqual(await findViolations(page), [])
    assert.equal((await office.readOrder(order)).refunds.length, 0)
    await page.getByRole('button', { name: 'Refund €24.00' }).click()
    await office.done(page, 'The refund was asked for.')
    const { refunds, payment } = await eventually(async () => {
      const found = await office.readOrder(order)
      assert.equal(found.payment.status, 'partly_refunded')
      return found
    })
    assert.deepEqual(
      refunds.map(({ amount, lines }) => [amount.amountMinor, lines[0]?.quantity]),
      [[2_400, 2]],
    )
    assert.equal(payment.refunded.amountMinor, 2_400)
  })

  test('an order is cancelled after a question, and says why', async () => {
    const { page } = office
    const { variantId } = await shop.sell()
    const order = await shop.paidOrder(variantId)
    await page.goto(`/office/orders/${order.id}`)
    await page.getByText('Cancel the order…').click()
    await page.getByRole('textbox', { name: 'Reason' }).last().fill('stall is closed')
    await page.getByRole('button', { name: 'Cancel the order', exact: true }).click()
    await office.done(page, 'The order was cancelled.')
    assert.equal((await office.readOrder(order)).status, 'cancelled')
  })

  test('a bank transfer is recorded by its amount; another amount is refused', async () => {
    const { page } = office
    const { variantId } = await shop.sell({ amountMinor: 5_000 })
    const cart = await shop.cartWith({ [variantId]: 1 })
    const order = await shop.checkout(cart, { change: { paymentMethod: 'bank_transfer' } })
    await page.goto(`/office/orders/${order.id}`)
    const total = await page.getByLabel('Amount (EUR)').inputValue()
    await page.getByLabel('Amount (EUR)').fill('1.00')
    await page.getByLabel('Reference').fill('RF-1')
    await page.getByRole('button', { name: 'Record the money' }).click()
    await page.getByRole('alert').getByText('This is not the amount of the order.').waitFor()
    await page.getByLabel('Amount (EUR)').fill(total)
    await page.getByRole('button', { name: 'Record the money' }).click()
    await office.done(page, 'The money was recorded.')
    await shop.orderBecomes(order, 'paid', order.accessToken)
  })

  test('orders are filtered by status, day and total', async () => {
    const { page } = office
    await page.goto('/office/orders?status=cancelled&from=2020-01-01&to=2020-01-02')
    await page.getByText('No orders found').waitFor()
    await page.goto('/office/orders?status=cancelled')
    await page.getByRole('row').nth(1).getByText('Cancelled').waitFor()
    await inspect(page, 'office/orders')
  })

  test('a customer is found with addresses and orders', async () => {
    const { page } = office
    const customer = await shop.signUp()
    await office.find(page, '/office/customers', customer.email)
    await inspect(page, 'office/customers')
    await page.getByRole('link', { name: 'Odette' }).click()
    await page.getByRole('heading', { name: 'Addresses' }).waitFor()
    await inspect(page, 'office/customer')
  })
}
