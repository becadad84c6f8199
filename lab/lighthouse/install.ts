import { createHash, randomBytes } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { cacheFolder } from '../../stack/src/brokers/kafka-jars.ts'
import { runTool } from '../../stack/src/brokers/run-tool.ts'
import type { Audit, Category } from './report.ts'

/** The part of Lighthouse that is used. */
export type Lighthouse = {
  default(
    url: string,
    flags: {
      port: number
      output: readonly ['html', 'json']
      logLevel: 'error'
      onlyCategories: readonly Category[]
      throttlingMethod?: 'provided'
    },
  ): Promise<{ lhr: LighthouseResult; report: readonly [string, string] } | undefined>
}

export type LighthouseResult = {
  environment: { benchmarkIndex: number }
  runtimeError?: { message: string }
  categories: Readonly<
    Record<string, { score: number | null; auditRefs: readonly { id: string; weight: number }[] }>
  >
  audits: Readonly<Record<string, Audit>>
}

export type ChromeLauncher = {
  launch(options: {
    chromePath: string
    chromeFlags: readonly string[]
    logLevel: 'error'
  }): Promise<{ port: number; kill(): void }>
}

const files = ['package.json', 'package-lock.json'] as const

// 114 packages, 176 MB, through a slow connection.
const installLimitMs = 10 * 60_000

function folder(): string {
  const lock = readFileSync(join(import.meta.dirname, 'package-lock.json'))
  const hash = createHash('sha256').update(lock).digest('hex').slice(0, 12)
  return join(cacheFolder(), `lighthouse-${hash}`)
}

/**
 * Lighthouse, from the user's cache. It is as large as a third of all other packages together, so
 * only who measures fetches it: with npm, as the lock file beside this says. Throws when npm cannot.
 */
export async function loadLighthouse(): Promise<{
  lighthouse: Lighthouse
  launcher: ChromeLauncher
}> {
  const target = folder()
  if (!existsSync(target)) await install(target)
  const load = (path: string) => import(pathToFileURL(join(target, 'node_modules', path)).href)
  return {
    lighthouse: (await load('lighthouse/core/index.js')) as Lighthouse,
    launcher: (await load('chrome-launcher/dist/index.js')) as ChromeLauncher,
  }
}

async function install(target: string): Promise<void> {
  // Made aside and renamed, so that an interrupted run leaves nothing that looks complete.
  const draft = `${target}.${randomBytes(4).toString('hex')}`
  mkdirSync(draft, { recursive: true })
  const npm = process.env.npm_execpath
  try {
    for (const file of files) copyFileSync(join(import.meta.dirname, file), join(draft, file))
    await runTool({
      command: npm ? process.execPath : 'npm',
      args: [...(npm ? [npm] : []), 'ci', '--ignore-scripts', '--no-audit', '--no-fund'],
      purpose: 'Lighthouse could not be installed',
      limitMs: installLimitMs,
      cwd: draft,
    })
    renameSync(draft, target)
  } catch (error) {
    // Another run may have installed the same in the meantime.
    if (!existsSync(target)) throw error
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
}
