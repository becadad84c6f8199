import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createShop } from '../../tests/e2e/shop.ts'
import { inviteCallers } from './callers.ts'
import type { Failure, Verdict } from './judge.ts'
import { planRuns, type Size } from './plan.ts'
import { runApi } from './run-api.ts'
import { schemathesis } from './schemathesis.ts'

export type ApiOptions = {
  size: Size
  seed: number
  /** Runs of these names alone. */
  only: readonly string[]
  say(text: string): void
}

export type RoleVerdict = Verdict & { run: string }

/** Calls a shop of its own as everybody that there is. */
export async function checkApi({ size, seed, only, say }: ApiOptions): Promise<RoleVerdict[]> {
  const python = await schemathesis.provide()
  // Without rate limits: thousands of calls come from one address.
  const shop = createShop({ HALLES_GATEWAY_RATE_LIMIT_FACTOR: '0', LOG_LEVEL: 'warn' })
  const folder = mkdtempSync(join(tmpdir(), 'halles-outside-'))
  const verdicts: RoleVerdict[] = []
  try {
    await shop.stack.start()
    const { url } = shop.stack
    const document = join(folder, 'openapi.json')
    const { body } = await shop.api.raw({ method: 'GET', target: '/openapi.json' })
    writeFileSync(document, JSON.stringify(body))
    const runs = planRuns(await inviteCallers(shop), size, seed)
    for (const run of runs.filter(({ name }) => only.length === 0 || only.includes(name))) {
      const verdict = await runApi(run, { python, url, document, folder })
      verdicts.push({ run: run.name, ...verdict })
      say(summarize({ run: run.name, ...verdict }))
    }
  } finally {
    await shop.stack.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  return verdicts
}

function summarize({ run, calls, statuses, faults }: RoleVerdict): string {
  const counts = Object.entries(statuses).map(([status, count]) => `${status}: ${count}`)
  return `  ${run}: ${calls} calls (${counts.join(', ')}), ${faults.length} faults`
}

/** The faults, each kind once with how often it came. */
export function describeFaults(faults: readonly Failure[]): string {
  const kinds = new Map<string, Failure[]>()
  for (const fault of faults) {
    const key = [fault.check, fault.operation, fault.status, fault.code].join(' ')
    kinds.set(key, [...(kinds.get(key) ?? []), fault])
  }
  return [...kinds]
    .map(([key, [first, ...others]]) => {
      const times = others.length > 0 ? ` (${others.length + 1} times)` : ''
      return `${key}${times}\n    ${first?.call}\n    ${first?.answer}`
    })
    .join('\n')
}
