import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { AppError } from '@halles/kit/errors'
import { findProgram } from '../brokers/programs.ts'
import { cacheFolder, provideFolder } from './cache-folder.ts'

/** A tool of others, which the user's cache holds once it was installed. */
export type CachedTool = {
  name: string
  /** Its path where it is installed already; never installs. */
  installed(): string | undefined
  /**
   * Its path; installed at the first use. Throws AppError: `TOOL_MISSING` without the program that
   * installs it, `TOOL_FAILED` where that fails, as it does when its registry is away.
   */
  provide(): Promise<string>
}

export type CachedToolOptions = {
  name: string
  /** Its folder in the cache, with the version. */
  folder: string
  /** What is asked for, inside of its folder; without it, the folder. */
  path?: string
  /** `purpose` begins a complaint: `helm could not be installed`. */
  install(draft: string, purpose: string): Promise<unknown>
}

/** A tool by the way it is installed: goTool, pythonTool and npmTool are made of this. */
export function cachedTool({ name, folder, path = '', install }: CachedToolOptions): CachedTool {
  const isWhole = (place: string) => existsSync(join(place, path))
  const make = (draft: string) => install(draft, `${name} could not be installed`)
  return {
    name,
    installed() {
      const place = join(cacheFolder(), folder)
      return isWhole(place) ? join(place, path) : undefined
    },
    provide: async () => join(await provideFolder(folder, make, isWhole), path),
  }
}

/**
 * The path of a program that installs others: in one of the folders that come first, or in PATH.
 * Throws `TOOL_MISSING`.
 */
export function neededProgram(name: string, purpose: string, first?: readonly string[]): string {
  const path = findProgram(name, first)
  if (path !== undefined) return path
  throw new AppError('unavailable', 'TOOL_MISSING', `${purpose}: ${name} is not installed.`)
}

/**
 * The path of a tool for tests, or why they are skipped: it is installed only where
 * HALLES_TEST_BROKERS=install allows to install things.
 */
export async function toolForTests(tool: CachedTool): Promise<{ path: string } | { skip: string }> {
  const path = tool.installed()
  if (path !== undefined) return { path }
  if (process.env.HALLES_TEST_BROKERS !== 'install') {
    return { skip: `${tool.name} is not installed; HALLES_TEST_BROKERS=install installs it` }
  }
  try {
    return { path: await tool.provide() }
  } catch (error) {
    // Without a way to its registry there is nothing to be done; the reason is shown.
    return { skip: String(error).slice(0, 300) }
  }
}
