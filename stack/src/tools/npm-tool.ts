import { copyFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runTool } from '../brokers/run-tool.ts'
import { type CachedTool, cachedTool, neededProgram } from './cached-tool.ts'

// Up to 176 MB, through a slow connection.
const limitMs = 10 * 60_000

export type NpmToolOptions = {
  name: string
  /** Its folder in the cache, with the version. */
  folder: string
  /** Packages with their versions, or a folder with a package.json and its lock file. */
  from: { packages: readonly string[] } | { lockFolder: string }
}

/**
 * A tool of packages that are too large to be dependencies of ours, installed by npm: ten minutes at
 * most. Its path is the folder that holds `node_modules`.
 */
export function npmTool({ name, folder, from }: NpmToolOptions): CachedTool {
  return cachedTool({
    ...{ name, folder },
    install(draft, purpose) {
      const npm = process.env.npm_execpath
      const isLocked = 'lockFolder' in from
      if (isLocked) {
        for (const file of ['package.json', 'package-lock.json'])
          copyFileSync(join(from.lockFolder, file), join(draft, file))
      } else writeFileSync(join(draft, 'package.json'), '{ "private": true }\n')
      const verb = isLocked ? ['ci'] : ['install', ...from.packages]
      return runTool({
        command: npm ? process.execPath : neededProgram('npm', purpose),
        args: [...(npm ? [npm] : []), ...verb, '--ignore-scripts', '--no-audit', '--no-fund'],
        ...{ purpose, limitMs, cwd: draft },
      })
    },
  })
}
