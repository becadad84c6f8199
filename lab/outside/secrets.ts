import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AppError } from '@halles/kit/errors'
import { goTool } from '../../stack/src/tools/go-tool.ts'

const gitleaks = goTool({
  name: 'gitleaks',
  module: 'github.com/zricethezav/gitleaks/v8@v8.30.1',
})

export type Leak = { file: string; line: number; rule: string }

type Found = { File: string; StartLine: number; RuleID: string }

/** What looks like a secret and is none: made up for tests, in these files alone. */
export const harmless: readonly { file: RegExp; rules: readonly string[] }[] = [
  {
    file: /^services\/payments\/test\/(payments\.component\.test|stripe\.test|service)\.ts$/,
    rules: ['stripe-access-token', 'generic-api-key'],
  },
  {
    file: /^stack\/(test\/chart\.test\.ts|stripe-sandbox\/(README\.md|test\/harness\.ts))$/,
    rules: ['stripe-access-token', 'generic-api-key'],
  },
  { file: /^tests\/money\/provider\.ts$/, rules: ['stripe-access-token', 'generic-api-key'] },
  { file: /^packages\/kit\/test\/logging\.test\.ts$/, rules: ['jwt'] },
]

// A scan takes seconds.
const limitMs = 10 * 60_000

/** Looks for secrets in every version of every file that was ever committed. */
export async function findLeaks(root: string): Promise<Leak[]> {
  const program = await gitleaks.provide()
  const folder = mkdtempSync(join(tmpdir(), 'halles-leaks-'))
  const report = join(folder, 'report.json')
  try {
    const { status, stderr } = spawnSync(
      program,
      ['git', root, '--report-format', 'json', '--report-path', report, '--redact', '--no-banner'],
      { encoding: 'utf8', timeout: limitMs },
    )
    // 1: something was found.
    if (status !== 0 && status !== 1) {
      throw new AppError('unavailable', 'TOOL_FAILED', `gitleaks failed: ${stderr.slice(-500)}`)
    }
    const found = JSON.parse(readFileSync(report, 'utf8')) as Found[]
    const leaks = found.map(({ File, StartLine, RuleID }) => ({
      ...{ file: File, line: StartLine, rule: RuleID },
    }))
    return leaks.filter((leak) => !isHarmless(leak))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

export function isHarmless({ file, rule }: Leak): boolean {
  return harmless.some((each) => each.file.test(file) && each.rules.includes(rule))
}
