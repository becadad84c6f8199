import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { priceChanged, address as productEvents } from '@halles/contracts/gen/messages/products'
import { uuidv7 } from '@halles/kit/ids'
import { eventually } from '@halles/kit/testing'
import type { Page } from 'playwright-core'
import { openMessages } from '../e2e/messages.ts'
import { assertNoFaults, describeInBrowser, inspect, type Visitor } from './browser.ts'
import { walk } from './walk.ts'

// A part that was killed is ready again within its back-off and its start.
const backAgainMs = 60_000

describeInBrowser('the console', (world) => {
  const { shop } = world
  let page: Page

  const part = (name: string) => page.locator(`.map [data-part="${name}"]`)
  const button = (name: string) => part(name).locator('.map-hit')
  const becomes = (name: string, wellness: string, timeout = backAgainMs) =>
    page
      .locator(`.map [data-part="${name}"][data-wellness="${wellness}"]`)
      .waitFor({ state: 'attached', timeout })

  /** Chooses a part, presses one of its buttons and confirms what it asks. */
  async function act(name: string, action: string): Promise<void> {
    await button(name).click()
    const panel = page.getByRole('complementary', { name })
    await panel.getByRole('button', { name: action, exact: true }).click()
    await page.getByRole('dialog').getByRole('button', { name: action, exact: true }).click()
    await panel.getByRole('status').getByText(`${action}: ${name}.`).waitFor()
  }

  /** An event that nobody can read, of a product that nobody has. */
  async function publishPoison(): Promise<string> {
    const productId = uuidv7()
    const messages = openMessages(shop.stack, 'products')
    try {
      await messages.publisher.publish([
        {
          address: productEvents,
          message: {
            specversion: '1.0',
            id: uuidv7(),
            source: '/halles/products',
            type: priceChanged.type,
            subject: productId,
            time: new Date().toISOString(),
            datacontenttype: 'application/json',
            partitionkey: productId,
            data: { productId, price: 'a fortune' },
          },
        },
      ])
    } finally {
      await messages.stop()
    }
    return productId
  }

  /** A browser of an operator, before the living picture. */
  async function signIn(how: Visitor = {}): Promise<Page> {
    await shop.admin()
    const { email, password } = shop.stack.readJson('admin.json') as Record<string, string>
    const opened = await world.open({ ...how, path: '/sign-in?next=/console' })
    await opened.locator('input[name="email"]').fill(email ?? '')
    await opened.locator('input[name="password"]').fill(password ?? '')
    await opened.locator('main form button[type="submit"]').first().click()
    await opened.waitForURL(({ pathname }) => pathname === '/console')
    return opened
  }

  before(async () => {
    page = await signIn()
    await becomes('orders', 'well')
  })

  test('every part is drawn and well, in both schemes, wide and narrow', async () => {
    for (const { part: name } of shop.stack.processes()) {
      const shown = name === 'postgres' || name === 'stripe-sandbox' ? undefined : name
      if (shown) await becomes(shown, 'well')
    }
    await inspect(page, 'console/overview')
    await page.goto('/console?present')
    await becomes('orders', 'well')
    await inspect(page, 'console/present')
    await page.goto('/console')
    await becomes('orders', 'well')
  })

  test('a part is chosen by keyboard, and Escape leads back to it', async () => {
    await button('orders').focus()
    await page.keyboard.press('Enter')
    const panel = page.getByRole('complementary', { name: 'orders' })
    await panel.getByText('Requests a second').waitFor()
    await panel.getByText('orders-1').first().waitFor()
    await inspect(page, 'console/part')
    await page.keyboard.press('Escape')
    await panel.waitFor({ state: 'detached' })
    assert.equal(await page.evaluate('document.activeElement.parentElement.dataset.part'), 'orders')
  })

  test('a service that is killed is shown so, and comes back', async () => {
    const [before] = shop.stack.processes('wishlists')
    await button('wishlists').click()
    const panel = page.getByRole('complementary', { name: 'wishlists' })
    await panel.getByText(`pid ${before?.pid}`).waitFor()
    await panel.getByRole('button', { name: 'Kill' }).click()
    const dialog = page.getByRole('dialog', { name: 'Kill wishlists?' })
    await dialog.getByText('The wishlist says that it is away.').waitFor()
    let isShown = false
    const down = becomes('wishlists', 'down').then(() => {
      isShown = true
    })
    await dialog.getByRole('button', { name: 'Kill' }).click()
    await panel.getByText(/Restarts: [1-9]/).waitFor()
    // It may be back before the next picture; each time that it falls it stays away longer.
    const again = { limitMs: backAgainMs, intervalMs: 1_000 }
    await eventually(() => {
      if (!isShown) shop.stack.kill('wishlists')
      assert.ok(isShown)
    }, again)
    await down
    await becomes('wishlists', 'well')
    const [now] = shop.stack.processes('wishlists')
    assert.notEqual(now?.pid, before?.pid)
    await panel.getByText(`pid ${now?.pid}`).waitFor()
  })

  test('a service that is stopped is shown so, until it is started', async () => {
    await act('carts', 'Stop')
    await becomes('carts', 'down')
    await act('carts', 'Start')
    await becomes('carts', 'well')
  })

  test('a part is frozen and thawed by its buttons, and the news are told', async () => {
    await act('products', 'Freeze')
    await becomes('products', 'down')
    await page.getByRole('status').getByText('products-1 is frozen.').waitFor()
    await eventually(() => {
      assert.equal(shop.stack.processes('products')[0]?.state, 'frozen')
    })
    await inspect(page, 'console/frozen')
    await act('products', 'Thaw')
    await becomes('products', 'well')
  })

  test('a part is scaled, and each instance has its lamp', async () => {
    await act('carts', 'Scale')
    const lamps = part('carts').locator('.map-lamp[data-state="ready"]')
    await eventually(async () => assert.equal(await lamps.count(), 2), { limitMs: backAgainMs })
    await shop.stack.scale({ carts: 1 })
    await eventually(async () => assert.equal(await lamps.count(), 1), { limitMs: backAgainMs })
  })

  test('without the web server the last picture turns grey and says since when, until they come again', async () => {
    await shop.stack.without('web', async () => {
      await page.getByText(/No picture since \d/).waitFor()
      // Who asks for a page is told so by the gateway; who asks the API notices nothing.
      const answer = await fetch(world.url, { headers: { accept: 'text/html' } })
      assert.equal(answer.status, 503)
      assert.match(answer.headers.get('content-type') ?? '', /^text\/html/)
      await shop.api.ask('listProducts', {})
    })
    await page.locator('.living[data-link="live"]').waitFor({ timeout: backAgainMs })
    assertNoFaults(page)
  })

  test('a dead letter is found, read, replayed, and given up when it fails again', async () => {
    const subject = await publishPoison()
    const list = page.getByRole('row').filter({ hasText: 'INVALID_MESSAGE' })
    await eventually(
      async () => {
        await page.goto('/console/dead-letters?service=carts')
        assert.ok((await list.count()) > 0)
      },
      { limitMs: backAgainMs, intervalMs: 500 },
    )
    await inspect(page, 'console/dead-letters')
    await list.first().getByRole('link').click()
    await page.getByText(subject).first().waitFor()
    await inspect(page, 'console/dead-letter')
    await page.getByRole('button', { name: 'Replay' }).click()
    await page.getByText('Delivered again.').waitFor()
    await eventually(
      async () => {
        await page.goto('/console/dead-letters?service=carts')
        assert.ok((await list.count()) > 0)
      },
      { limitMs: backAgainMs, intervalMs: 500 },
    )
    await list.first().getByRole('link').click()
    await page.getByLabel('Why').fill('No product has this price.')
    await page.getByRole('button', { name: 'Give up for good' }).click()
    await page.getByText('Given up.').waitFor()
    await page.goto('/console/dead-letters?service=carts')
    await page.getByRole('heading', { name: 'No dead letters' }).waitFor()
  })

  test('what the provider told, what differs and what is unfinished are lists', async () => {
    const { variantId } = await shop.sell()
    const order = await shop.paidOrder(variantId)
    await page.goto('/console/provider-events?outcome=applied')
    await page.getByRole('row').filter({ hasText: order.id }).first().waitFor()
    await inspect(page, 'console/provider-events')
    await page.goto('/console/findings')
    await page.getByRole('button', { name: 'Compare the last day now' }).click()
    await page.getByText(/\d+ compared, \d+ repaired/).waitFor()
    await inspect(page, 'console/findings')
    await page.goto('/console/unfinished')
    await page.getByRole('heading', { level: 1, name: 'Unfinished' }).waitFor()
    await inspect(page, 'console/unfinished')
    await page.goto('/console/replicas')
    await page.getByRole('button', { name: 'Build the copy of wishlists anew' }).click()
    await page.getByText(/Built anew from \d+ messages/).waitFor()
    await inspect(page, 'console/replicas')
  })

  test('every page of the console speaks French, and none is wrong for a screen reader', async () => {
    await publishPoison()
    const deadLetterId = await eventually(async () => {
      const token = await shop.admin()
      const { items } = await shop.api.ask('listDeadLetters', { token })
      assert.ok(items[0])
      return items[0].id
    })
    const french = await signIn({ locale: 'fr-FR' })
    const given = { deadLetterId }
    await walk({ start: '/console', folder: 'console-fr', given, lookAt: () => ({ page: french }) })
  })
})
