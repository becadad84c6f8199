import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { AppError } from '@halles/kit/errors'
import { createMeter, type Meter } from '../../lab/lighthouse/measure.ts'
import { findPages } from '../../lab/lighthouse/pages.ts'
import { shortfalls } from '../../lab/lighthouse/report.ts'
import { describeInBrowser } from './browser.ts'

describeInBrowser('Lighthouse finds nothing wrong with', (world) => {
  let meter: Meter | undefined
  let whyNone = ''
  before(async () => {
    // Fetched from npm the first time; without a network the rest of the tests still tells enough.
    meter = await createMeter().catch((error: unknown) => {
      if (!(error instanceof AppError)) throw error
      whyNone = error.message
      return undefined
    })
  })

  for (const name of ['home', 'category', 'product']) {
    test(`the page ${name}: accessibility 100, best practices 100, SEO 95 or more`, async (t) => {
      if (!meter) return t.skip(whyNone)
      const page = (await findPages(world.url)).find((each) => each.name === name)
      assert.ok(page)
      const round = await meter.measure(world.url + page.path, { timed: false })
      const { accessibility, 'best-practices': practices, seo } = round.scores
      t.diagnostic(`${page.path}: ${accessibility}, ${practices}, ${seo}`)
      assert.deepEqual(Object.keys(round.scores), ['accessibility', 'best-practices', 'seo'])
      assert.deepEqual(shortfalls(round), [])
    })
  }
})
