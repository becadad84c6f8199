import assert from 'node:assert/strict'
import { mkdirSync, statSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import type { Page } from 'playwright-core'
import type { Shop } from '../e2e/shop.ts'
import { describeInBrowser } from './browser.ts'
import { createOffice } from './office/office.ts'

// Makes the pictures of the README anew: `node tests/browser/pictures.ts`

const folder = resolve(import.meta.dirname, '../../docs/pictures')
const maxBytes = 150 * 1024
const quality = 80
// As much as a stack on two cores does beside a browser.
const buyers = 3
// The numbers on the arrows are means of the last pictures; the curves want some more.
const busyMs = 25_000

describeInBrowser('the pictures of the README', (world) => {
  const { shop } = world
  const office = createOffice(world)

  test('the shop', async () => {
    const page = await world.open({ path: '/' })
    await take(page, 'shop', { width: 1280, height: 900 })
  })

  test('the office, after some orders', async () => {
    for (const quantity of [1, 2, 3, 1, 2]) await shop.paidOrder(await someVariant(shop), quantity)
    const page = await office.signIn(await office.administrator())
    await page.goto('/office')
    await page.getByRole('heading', { level: 1 }).waitFor()
    await take(page, 'office', { width: 1280, height: 900 })
  })

  test('the console, while people buy and a part stands still', async () => {
    const page = await office.signIn(await office.administrator())
    await page.goto('/console?present')
    const closing = new AbortController()
    const busy = crowd(shop, closing.signal)
    await wait(busyMs)
    await shop.stack.whileFrozen('wishlists', async () => {
      await page.locator('.map [data-part="wishlists"][data-wellness="down"]').waitFor()
      await wait(3_000)
      await take(page, 'console', { width: 1600, height: 1000, scheme: 'dark' })
    })
    closing.abort()
    await busy
  })
})

type Look = { width: number; height: number; scheme?: 'light' | 'dark' }

async function take(page: Page, name: string, { scheme = 'light', ...size }: Look): Promise<void> {
  await page.setViewportSize(size)
  await page.emulateMedia({ colorScheme: scheme })
  await page.evaluate('document.fonts.ready')
  const devtools = await page.context().newCDPSession(page)
  const { data } = await devtools.send('Page.captureScreenshot', { format: 'webp', quality })
  mkdirSync(folder, { recursive: true })
  const path = resolve(folder, `${name}.webp`)
  writeFileSync(path, Buffer.from(data, 'base64'))
  assert.ok(statSync(path).size <= maxBytes, `${path} has ${statSync(path).size} bytes.`)
}

async function someVariant({ api }: Shop): Promise<string> {
  const { items } = await api.ask('listProducts', { query: { limit: 50 } })
  const variants = items.flatMap((item) => item.variants)
  return some(variants.filter(({ availability }) => availability === 'in_stock')).id
}

function some<Thing>(things: readonly Thing[]): Thing {
  const found = things[Math.floor(Math.random() * things.length)]
  assert.ok(found)
  return found
}

/** What people do at the same time, again and again: look around, wish, buy, change a price. */
async function crowd(shop: Shop, signal: AbortSignal): Promise<void> {
  const { api } = shop
  const bought = await shop.sell({ title: 'Rye loaf', quantity: 10_000 })
  const { variantId } = await shop.sell({ title: 'Quince jelly' })
  const again = async (deed: () => Promise<unknown>) => {
    while (!signal.aborted) await deed()
  }
  const look = async () => {
    for (const q of ['cheese', 'bread', 'coffee', 'knife']) {
      await api.send('listProducts', { query: { q, limit: 20 } })
      await wait(40)
    }
  }
  const reprice = async () => {
    const price = { amountMinor: 300 + Math.floor(Math.random() * 900), currency: 'EUR' }
    const token = await shop.admin()
    await api.send('setPrice', { token, params: { variantId }, body: price })
    await wait(1_500)
  }
  await Promise.all([
    again(look),
    again(reprice),
    again(async () => api.send('getWishlist', { token: (await shop.signUp()).token })),
    ...Array.from({ length: buyers }, () => again(() => shop.paidOrder(bought.variantId))),
  ])
}
