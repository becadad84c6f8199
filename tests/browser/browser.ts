import assert from 'node:assert/strict'
import { accessSync, constants, mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { AxeResults } from 'axe-core'
import { type Browser, chromium, type Page } from 'playwright-core'
import { createShop, type Shop } from '../e2e/shop.ts'

const root = resolve(import.meta.dirname, '../..')
const screenshots = join(root, 'dist/screenshots')

// Pages are made on two cores that the stack and the browser share.
const actionLimitMs = 15_000

/** A stack of its own and a browser before it, for one file of tests. */
export type World = {
  shop: Shop
  /** The address that browsers use: cookies and the way back from the payment belong to it. */
  readonly url: string
  /** A page of a browser of its own, with no cookies. It is closed with the file. */
  open(how?: Visitor): Promise<Page>
}

export type Visitor = {
  /** Whether pages may run scripts; they do unless said otherwise. */
  scripts?: boolean
  locale?: string
  /** Opened at once. */
  path?: string
}

export const chromiumPath = process.env.HALLES_TEST_CHROMIUM ?? '/usr/bin/chromium'
// As root Chromium has no sandbox of its own; it only visits the stack.
export const chromiumArguments = [
  '--no-sandbox',
  '--disable-background-networking',
  '--disable-dev-shm-usage',
]

/** Why nothing can be tried in a browser here; undefined where it can. */
function whyNot(): string | undefined {
  try {
    accessSync(chromiumPath, constants.X_OK)
    return undefined
  } catch {
    return `Chromium is not at ${chromiumPath}; HALLES_TEST_CHROMIUM says where it is`
  }
}

/**
 * Defines tests on a running stack with a browser; where there is no Chromium they are skipped.
 * @param title a statement's beginning. @param define adds the tests.
 */
export function describeInBrowser(title: string, define: (world: World) => void): void {
  const skip = whyNot()
  if (skip !== undefined) {
    test(title, { skip }, () => undefined)
    return
  }
  describe(title, () => {
    // People are slower than tests; the limits themselves are tested in the gateway.
    const shop = createShop({ HALLES_GATEWAY_RATE_LIMIT_FACTOR: '0' })
    let browser: Browser | undefined
    const world: World = {
      shop,
      get url() {
        return shop.stack.url.replace('127.0.0.1', 'localhost')
      },
      async open(how = {}) {
        assert.ok(browser, 'The browser is open.')
        return openPage(browser, world.url, how)
      },
    }
    before(async () => {
      await shop.stack.start()
      browser = await chromium.launch({ executablePath: chromiumPath, args: chromiumArguments })
    })
    after(async () => {
      await browser?.close()
      await shop.stack.stop()
    })
    define(world)
  })
}

const faultsOf = new WeakMap<Page, string[]>()

async function openPage(
  browser: Browser,
  baseURL: string,
  { scripts = true, locale = 'en-IE', path }: Visitor,
): Promise<Page> {
  const context = await browser.newContext({ baseURL, locale, javaScriptEnabled: scripts })
  context.setDefaultTimeout(actionLimitMs)
  const page = await context.newPage()
  const faults: string[] = []
  faultsOf.set(page, faults)
  page.on('pageerror', (error) => faults.push(error.stack ?? error.message))
  page.on('console', (message) => {
    // An answer of 4xx or 5xx is what several tests are about.
    const isAnswer = /Failed to load resource/.test(message.text())
    if (message.type() === 'error' && !isAnswer) faults.push(message.text())
  })
  if (path !== undefined) await page.goto(path)
  return page
}

/** Throws what went wrong in the page's scripts: errors, refused sources, failed hydration. */
export function assertNoFaults(page: Page): void {
  assert.deepEqual(faultsOf.get(page)?.splice(0), [], `Scripts of ${page.url()} failed.`)
}

const screens = [
  { name: 'wide', width: 1280, height: 800 },
  { name: 'phone', width: 360, height: 740 },
] as const
const schemes = ['light', 'dark'] as const

/**
 * Looks at a page as people with a wide screen and with a phone do, by day and by night: keeps a
 * picture of each in `dist/screenshots`, and throws what axe finds, what is wider than the screen,
 * and what failed.
 */
export async function inspect(page: Page, name: string): Promise<void> {
  const before = page.viewportSize()
  for (const screen of screens) {
    await page.setViewportSize(screen)
    for (const colorScheme of schemes) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
      const look = `${screen.name}-${colorScheme}`
      const label = `${name}, ${look}, ${page.url()}`
      await photograph(page, `${name}-${look}`)
      const wide = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth')
      assert.ok(wide <= 0, `${label}: ${wide} pixels wider than the screen.`)
      // Between day and night only the colours differ.
      const rules = colorScheme === 'light' ? undefined : ['color-contrast']
      assert.deepEqual(await findViolations(page, rules), [], label)
    }
  }
  await page.emulateMedia({ colorScheme: null, reducedMotion: null })
  if (before) await page.setViewportSize(before)
  assertNoFaults(page)
}

/** Keeps a picture of the whole page as `dist/screenshots/{name}.png`. */
export async function photograph(page: Page, name: string): Promise<void> {
  const path = join(screenshots, `${name}.png`)
  mkdirSync(dirname(path), { recursive: true })
  await page.evaluate('scrollTo(0, 0)')
  await page.screenshot({ path, fullPage: true })
}

const axeSource = readFileSync(
  createRequire(import.meta.url).resolve('axe-core/axe.min.js'),
  'utf8',
)

/** What axe finds, by all its rules or by some: the rule and the elements, one line each. */
export async function findViolations(page: Page, runOnly?: readonly string[]): Promise<string[]> {
  // Through the debugger: the page's own policy would refuse a script.
  await page.evaluate(axeSource)
  const options = JSON.stringify({ resultTypes: ['violations'], ...(runOnly && { runOnly }) })
  const check = `axe.run(document, ${options})`
  const { violations } = await page.evaluate<AxeResults>(check)
  return violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ target, any, all }) => {
      const why = [...any, ...all].map(({ message }) => message).join(' ')
      return `${id}: ${help}: ${target.join(' ')}: ${why}`
    }),
  )
}
