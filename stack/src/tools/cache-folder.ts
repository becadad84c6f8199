import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** Where what is fetched once lies, for every checkout of this user. */
export function cacheFolder(): string {
  const { XDG_CACHE_HOME } = process.env
  return join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'halles')
}

/**
 * The path of a folder of the cache, which is made at its first use, whole or not at all.
 * `isWhole` says whether one that is there can be used; one that cannot is replaced. Throws what
 * `make` throws.
 */
export async function provideFolder(
  name: string,
  make: (draft: string) => Promise<unknown>,
  isWhole: (folder: string) => boolean = existsSync,
): Promise<string> {
  const folder = join(cacheFolder(), name)
  if (isWhole(folder)) return folder
  // Made aside and renamed, so that an interrupted run leaves nothing that looks complete.
  const draft = `${folder}.${randomBytes(4).toString('hex')}`
  mkdirSync(draft, { recursive: true })
  try {
    await make(draft)
    if (!isWhole(folder)) {
      rmSync(folder, { recursive: true, force: true })
      renameSync(draft, folder)
    }
  } catch (error) {
    // Another run may have made the same in the meantime.
    if (!isWhole(folder)) throw error
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
  return folder
}

/** Twelve digits that change with the content of a file: for the name of what is made from it. */
export function contentHash(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex').slice(0, 12)
}
