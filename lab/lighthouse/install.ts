import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { contentHash } from '../../stack/src/tools/cache-folder.ts'
import { npmTool } from '../../stack/src/tools/npm-tool.ts'
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

const lockFolder = import.meta.dirname

const tool = npmTool({
  name: 'Lighthouse',
  folder: `lighthouse-${contentHash(join(lockFolder, 'package-lock.json'))}`,
  from: { lockFolder },
})

/**
 * Lighthouse, from the user's cache. It is as large as a third of all other packages together, so
 * only who measures fetches it: with npm, as the lock file beside this says. Throws when npm cannot.
 */
export async function loadLighthouse(): Promise<{
  lighthouse: Lighthouse
  launcher: ChromeLauncher
}> {
  const target = await tool.provide()
  const load = (path: string) => import(pathToFileURL(join(target, 'node_modules', path)).href)
  return {
    lighthouse: (await load('lighthouse/core/index.js')) as Lighthouse,
    launcher: (await load('chrome-launcher/dist/index.js')) as ChromeLauncher,
  }
}
