import { spawnSync } from 'node:child_process'
import { freePort } from '@halles/kit/testing'
import { goTool } from '../../stack/src/tools/go-tool.ts'
import { createShop } from '../../tests/e2e/shop.ts'

const h2spec = goTool({
  name: 'h2spec',
  module: 'github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible',
})

/** What h2spec found amiss, in its own words. */
export type H2Verdict = { tests: number; failed: readonly string[] }

/** What HAProxy (2.6) is known to do; the answer is an error all the same, of another kind. */
export const expected: Readonly<Record<string, string>> = {
  'Sends a large size HEADERS frame that exceeds the SETTINGS_MAX_FRAME_SIZE':
    'it refuses the request as too large with an answer, and not the connection',
}

// 146 cases; each waits two seconds at most.
const limitMs = 8 * 60_000

/** Holds the HTTPS edge against RFC 9113, as h2spec reads it. Needs HAProxy. */
export async function checkH2(): Promise<H2Verdict> {
  const program = await h2spec.provide()
  const port = await freePort()
  const { stack } = createShop({ HALLES_GATEWAY_RATE_LIMIT_FACTOR: '0', LOG_LEVEL: 'warn' }, [
    ...['--edge', 'haproxy', '--https-port', String(port)],
  ])
  try {
    await stack.start()
    const { stdout, error } = spawnSync(
      program,
      ['--host', '127.0.0.1', '--port', String(port), '--tls', '--insecure', '--path', '/readyz'],
      { encoding: 'utf8', timeout: limitMs, maxBuffer: 16 * 1024 ** 2 },
    )
    if (error) throw error
    return parseH2(stdout)
  } finally {
    await stack.stop()
  }
}

/** Reads what h2spec prints: a cross before each case that failed, its count at the end. */
export function parseH2(text: string): H2Verdict {
  const [, tests] = /^(\d+) tests, \d+ passed/m.exec(text) ?? []
  if (tests === undefined) throw new Error(`h2spec broke off:\n${text.slice(-2_000)}`)
  const failures = text.slice(text.lastIndexOf('Failures:'))
  const failed = [...failures.matchAll(/× \d+: (.+)$/gm)].map(([, title = '']) => title)
  return { tests: Number(tests), failed }
}
