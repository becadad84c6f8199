import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Order } from '@halles/contracts/gen/http/orders'
import { eventually } from '@halles/kit/testing'
import { type Customer, unique } from '../../e2e/shop.ts'
import { assertNoFaults, findViolations, inspect, type World } from '../browser.ts'
import type { Office } from './office.ts'

/** Customers, staff, and what their roles allow. */
export function testPeople(world: World, office: Office): void {
  const { shop } = world

  test('a role is created, changed by its column and removed; the log has it all', async () => {
    const { page } = office
    const role = `packer-${unique()}`.slice(0, 30)
    await page.goto('/office/roles')
    await page.getByLabel('Name of the role').fill(role)
    await page.getByRole('button', { name: 'Create' }).click()
    await office.done(page, 'The role was saved.')
    await page.getByLabel(`${role} may orders:read`).check()
    await page.getByRole('button', { name: `Save ${role}` }).click()
    const token = await shop.admin()
    await eventually(async () => {
      const found = await shop.api.ask('getRole', { token, params: { role } })
      assert.deepEqual(found.permissions, ['orders:read'])
    })
    await inspect(page, 'office/roles')
    await page.goto('/office/roles')
    await shop.api.ask('putRole', { token, params: { role }, body: { permissions: [] } })
    await page.getByRole('button', { name: `Save ${role}` }).click()
    await page.getByRole('alert').getByText('Somebody else changed this').waitFor()
    await page.goto('/office/roles')
    await page.getByText(`${role}…`).click()
    await page.getByRole('button', { name: 'Remove' }).click()
    await office.done(page, 'The role was removed.')
    await office.find(page, '/office/audit', role)
    await page.getByRole('row').filter({ hasText: 'Role removed' }).waitFor()
    await inspect(page, 'office/audit')
  })

  test('a customer becomes staff; the office offers what the role may do and refuses the rest', async () => {
    const { page } = office
    const customer = await shop.signUp()
    await page.goto(`/office/staff?q=${encodeURIComponent(customer.email)}`)
    await inspect(page, 'office/staff')
    await page.getByRole('link', { name: 'Odette', exact: true }).first().click()
    await page.getByLabel('support').check()
    await inspect(page, 'office/staff-member')
    await page.getByRole('button', { name: 'Save' }).click()
    await office.done(page, 'The roles of this person were saved.')
    await restrictedTo(customer)
  })

  /** What somebody of the role `support` sees: reading, and nothing that changes. */
  async function restrictedTo(customer: Customer): Promise<void> {
    const { variantId, productId } = await shop.sell()
    const order: Order = await shop.paidOrder(variantId)
    const support = await office.signInAsStaff(customer)
    const offered = await support.getByRole('navigation').getByRole('link').allTextContents()
    assert.deepEqual(offered, ['Today', 'Orders', 'Products', 'Customers'])
    await inspect(support, 'office/support-dashboard')
    await support.goto(`/office/orders/${order.id}`)
    await support.getByRole('heading', { name: 'What happened' }).waitFor()
    for (const action of ['Record as sent', 'Continue…', 'Cancel the order']) {
      assert.equal(await support.getByRole('button', { name: action }).count(), 0, action)
    }
    for (const path of ['roles', 'staff', 'audit', 'imports', 'prices', 'products/new']) {
      const answer = await support.goto(`/office/${path}`)
      assert.equal(answer?.status(), 403, path)
      await support.getByRole('heading', { name: 'Not for your role' }).waitFor()
    }
    assert.deepEqual(await findViolations(support), [])
    // Called past the pages: a form that was never offered.
    for (const [path, form] of [
      [`orders/${order.id}`, { intent: 'cancel' }],
      [`products/${productId}`, { intent: 'remove' }],
      ['roles', { intent: 'create', role: 'sneaky' }],
    ] as const) {
      const answer = await support.request.post(`${world.url}/office/${path}`, {
        form,
        headers: { 'sec-fetch-site': 'same-origin', origin: world.url },
        maxRedirects: 0,
      })
      assert.equal(answer.status(), 403, path)
    }
    assert.equal((await office.readOrder(order)).status, 'paid')
    assertNoFaults(support)
    await support.context().close()
  }
}
