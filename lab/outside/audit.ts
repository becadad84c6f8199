import { spawnSync } from 'node:child_process'

/** `unknown`: nobody answered. */
export type Audit = { vulnerable: readonly string[] } | { unknown: string }

// One question to the registry.
const limitMs = 120_000

type Report = {
  error?: { summary?: string }
  message?: string
  vulnerabilities?: Record<string, { severity: string }>
}

/** Asks npm's registry which of the packages that run in production are known to be vulnerable. */
export function auditPackages(root: string): Audit {
  const npm = process.env.npm_execpath
  const [command, first] = npm ? [process.execPath, [npm]] : ['npm', []]
  const { stdout, error } = spawnSync(command, [...first, 'audit', '--omit=dev', '--json'], {
    ...{ cwd: root, encoding: 'utf8', timeout: limitMs, maxBuffer: 16 * 1024 ** 2 },
  })
  if (error) return { unknown: error.message }
  return readAudit(stdout)
}

/** What npm says, as JSON. */
export function readAudit(text: string): Audit {
  const report = JSON.parse(text) as Report
  if (!report.vulnerabilities) {
    return { unknown: report.error?.summary || report.message || 'npm does not say why' }
  }
  const found = Object.entries(report.vulnerabilities)
  return { vulnerable: found.map(([name, { severity }]) => `${name} (${severity})`) }
}
