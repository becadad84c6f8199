import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect, type World } from '../browser.ts'
import type { Office } from './office.ts'

/** What the staff see while a part is away. */
export function testAway({ shop }: World, office: Office): void {
  const parts = {
    products: { path: '/office/products', says: 'The catalogue cannot be reached right now.' },
    orders: { path: '/office/orders', says: 'Orders cannot be reached right now.' },
    customers: { path: '/office/customers', says: 'Customers cannot be reached right now.' },
    rbac: { path: '/office/roles', says: 'Roles cannot be reached right now.' },
    payments: { path: '/console/provider-events', says: 'Payments cannot be reached right now.' },
  }

  test('each part that is away has a page that says so, between the others', async () => {
    const { page } = office
    for (const [part, { path, says }] of Object.entries(parts)) {
      await shop.stack.without(part, async () => {
        const answer = await page.goto(path)
        assert.equal(answer?.status(), 503, path)
        await page.getByText(says).waitFor()
        await inspect(page, `office/away-${part}`)
        assert.equal((await page.goto('/office'))?.status(), 200, 'The first page is there.')
        await page.getByRole('heading', { level: 1 }).waitFor()
      })
    }
  })
}
