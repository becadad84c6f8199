import { AppError } from '@halles/kit/errors'
import { chromiumArguments, chromiumPath } from '../../tests/browser/browser.ts'
import { type LighthouseResult, loadLighthouse } from './install.ts'
import { type Category, categories, type Round } from './report.ts'

export type Meter = {
  /** One round of one page, as a phone sees it. `timed` adds performance on a slow network. */
  measure(url: string, how: { timed: boolean }): Promise<Round>
}

const timeless = categories.filter((category) => category !== 'performance')

// On a busy machine Chromium now and then records nothing; Lighthouse then asks to be run again.
const attempts = 3

/**
 * Opens Lighthouse, which starts a browser of its own for each round: nothing is left from the last.
 * Throws an AppError when Lighthouse is not installed and cannot be.
 */
export async function createMeter(): Promise<Meter> {
  const { lighthouse, launcher } = await loadLighthouse()

  async function visit(url: string, timed: boolean): Promise<Round | string> {
    const chromium = await launcher.launch({
      chromePath: chromiumPath,
      chromeFlags: ['--headless=new', ...chromiumArguments],
      logLevel: 'error',
    })
    try {
      const result = await lighthouse.default(url, {
        port: chromium.port,
        output: ['html', 'json'],
        logLevel: 'error',
        onlyCategories: timed ? categories : timeless,
        // Nobody waits for a slow network when no time is measured.
        ...(timed ? {} : { throttlingMethod: 'provided' }),
      })
      if (result === undefined) return 'Lighthouse said nothing.'
      const [html, json] = result.report
      return result.lhr.runtimeError?.message ?? { ...toRound(result.lhr), html, json }
    } finally {
      chromium.kill()
    }
  }

  return {
    async measure(url, { timed }) {
      let fault = ''
      for (let attempt = 0; attempt < attempts; attempt += 1) {
        const round = await visit(url, timed)
        if (typeof round !== 'string') return round
        fault = round
      }
      throw new AppError('unavailable', 'PAGE_NOT_MEASURED', `${url}: ${fault}`)
    },
  }
}

function toRound(result: LighthouseResult): Omit<Round, 'html' | 'json'> {
  const { categories: found, audits, environment } = result
  const figure = (id: string) => audits[id]?.numericValue ?? Number.NaN
  const scores: Partial<Record<Category, number>> = {}
  const faults: Round['faults'] = []
  for (const category of categories) {
    const { score, auditRefs } = found[category] ?? {}
    if (auditRefs === undefined) continue
    scores[category] = Math.round((score ?? 0) * 100)
    for (const { id, weight } of auditRefs) {
      const audit = audits[id]
      if (weight === 0 || !audit || audit.score === null || audit.score === 1) continue
      faults.push({ category, id, audit })
    }
  }
  return {
    scores,
    lcpMs: figure('largest-contentful-paint'),
    cls: figure('cumulative-layout-shift'),
    tbtMs: figure('total-blocking-time'),
    bytes: figure('total-byte-weight'),
    speed: environment.benchmarkIndex,
    faults,
  }
}
