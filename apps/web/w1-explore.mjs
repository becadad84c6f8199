import { chromium } from 'playwright-core'
import { readFileSync } from 'node:fs'
const base = process.env.BASE ?? 'http://localhost:15173'
const axe = readFileSync('/tmp/web/node_modules/axe-core/axe.min.js', 'utf8')
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-background-networking'] })
const context = await browser.newContext({ baseURL: base, locale: 'en-IE' })
context.setDefaultTimeout(20000)
const page = await context.newPage()
page.on('pageerror', (e) => console.log('PAGEERROR', e.message))
page.on('console', (m) => m.type() === 'error' && console.log('CONSOLE', m.text().slice(0, 300)))
async function look(name) {
  for (const [w, s] of [[1280, 'light'], [360, 'dark']]) {
    await page.setViewportSize({ width: w, height: 800 })
    await page.emulateMedia({ colorScheme: s })
    await page.screenshot({ path: `/tmp/w1/shots/${name}-${w}.png`, fullPage: true })
    const wide = await page.evaluate('document.documentElement.scrollWidth - innerWidth')
    if (wide > 0) console.log(name, w, 'WIDE', wide)
    await page.evaluate(axe)
    const { violations } = await page.evaluate("axe.run(document,{resultTypes:['violations']})")
    for (const v of violations) console.log(name, w, v.id, v.nodes.map((n) => n.target.join(' ')).slice(0, 4).join(' | '))
  }
  await page.setViewportSize({ width: 1280, height: 800 })
}
const steps = {
  async product() { await page.goto('/search'); await look('search'); await page.locator('.product-card h3 a').first().click(); await page.waitForURL(/products/); await look('product') },
  async cart() { await page.getByRole('button', { name: 'Put into the basket' }).click(); await page.getByText('It is in your basket').waitFor(); await page.getByRole('link', { name: 'Look into the basket' }).click(); await page.waitForURL(/cart/); await page.getByText('Prices are live').waitFor(); await look('cart') },
  async checkout() { await page.getByRole('link', { name: 'To the checkout' }).click(); await page.waitForURL(/checkout/); await page.getByLabel('E-mail').waitFor(); await look('checkout')
    await page.getByLabel('E-mail').fill('ada@example.com'); await page.getByLabel('Name').fill('Ada'); await page.getByLabel('Street').fill('Rue 1'); await page.getByLabel('Postal').fill('75001'); await page.getByLabel('Town').fill('Paris'); await page.getByRole('button', { name: 'On to the overview' }).click(); await page.waitForURL(/review/); await look('review') },
  async pay() { await page.getByRole('button', { name: /Buy for/ }).click(); await page.waitForURL(/c\/pay/); await page.screenshot({ path: '/tmp/w1/shots/pay.png' })
    await page.getByRole('link', { name: 'Back to the shop' }).evaluate((a, b) => { a.href = a.href.replace('http://localhost:18080', b) }, base); await page.getByRole('link', { name: 'Back to the shop' }).click(); await page.waitForURL(/cancelled/); await look('cancelled')
    const order = new URL(page.url()).searchParams.get('order')
    await page.goto(`/checkout/return?order=${order}`); await look('return'); await page.goto('/orders'); await look('orders')
    await page.goto(`/orders/${order}`); await look('order-waiting'); await page.getByRole('link', { name: /^Pay/ }).click(); await page.waitForURL(/c\/pay/)
    await page.getByLabel('Card number').fill('4242424242424242'); await page.getByLabel('Expiry').fill('12/40'); await page.getByLabel('Security').fill('123'); 
    await page.getByRole('button', { name: /Pay/ }).first().click(); await page.waitForURL(/18080/); await page.goto(`/checkout/return?order=${order}`); await page.waitForURL(/thanks/); await look('order-paid') },
  async account() { await page.goto('/sign-up'); await look('sign-up'); await page.getByLabel('Name').fill('Ada Lovelace'); await page.getByLabel('E-mail').fill(`ada-${Date.now()}@example.com`); await page.getByLabel('Password').fill('a-long-password'); await page.getByRole('button', { name: 'Open the account' }).click(); await page.waitForURL(base + '/')
    for (const p of ['account', 'account/addresses', 'account/security', 'account/data', 'wishlist', 'orders', 'nowhere', 'erased']) { await page.goto('/' + p); await look(p.replace('/', '-')) } },
  async wish() { await page.goto('/products/comte-18-months').catch(() => {}); if (page.url().includes('comte') === false) await page.goto('/search'); await page.goto('/search'); await page.locator('.product-card h3 a').nth(2).click(); await page.getByRole('button', { name: 'Keep on the wishlist' }).click(); await page.getByText('It is on your wishlist').waitFor(); await page.goto('/wishlist'); await look('wishlist-full') },
}
for (const name of (process.env.STEPS ?? Object.keys(steps).join()).split(',')) { console.log('--', name); try { await steps[name]() } catch (e) { console.log('FAILED', name, page.url(), e.message.slice(0, 400)); await page.screenshot({ path: `/tmp/w1/shots/failed-${name}.png` }) } }
await browser.close()
