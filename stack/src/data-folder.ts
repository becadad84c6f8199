import { accessSync, chmodSync, constants, linkSync, mkdirSync, rmSync, statfsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { AppError } from '@halles/kit/errors'
import { errorCode, readText, writeJson } from './files.ts'
import { isAlive, startMark } from './processes.ts'

// A fresh database takes 60 MB, its log up to 512 MB when busy; below this a start ends badly.
const minFreeBytes = 300 * 1024 * 1024

/** Creates the data folder if need be and makes sure that it can be worked in. */
export function openDataFolder(path: string): string {
  const folder = resolve(path)
  try {
    const isNew = mkdirSync(folder, { recursive: true }) !== undefined
    // Root's PostgreSQL is another user, who must be able to pass, though not to look around.
    if (isNew) chmodSync(folder, process.getuid?.() === 0 ? 0o711 : 0o700)
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    const why =
      errorCode(error) === 'EEXIST'
        ? 'is not a folder'
        : `cannot be written to (${errorCode(error)})`
    throw new AppError(
      'unavailable',
      'DATA_FOLDER_NOT_WRITABLE',
      `The data folder ${folder} ${why}. Choose another: --data DIR or HALLES_DATA=DIR.`,
      { cause: error },
    )
  }
  checkFreeSpace(folder)
  return folder
}

/** Throws when the disk below the folder is nearly full. */
export function checkFreeSpace(folder: string): void {
  const { bavail, bsize } = statfsSync(folder)
  if (bavail * bsize >= minFreeBytes) return
  throw new AppError(
    'unavailable',
    'DISK_FULL',
    `The disk of ${folder} has ${Math.floor((bavail * bsize) / 1024 ** 2)} MB left, and Halles needs 300 MB. Make room, or choose another folder: --data DIR.`,
  )
}

type Holder = { pid: number; startMark: string; url: string }

/** Takes the folder for this process; throws when another start holds it. */
export function lockDataFolder(folder: string, url: string): { release(): void } {
  const lock = join(folder, 'lock.json')
  const own = join(folder, `lock.${process.pid}.json`)
  writeJson(own, { pid: process.pid, startMark: startMark(process.pid), url } satisfies Holder)
  try {
    for (let tries = 0; ; tries += 1) {
      try {
        // A link is made whole or not at all, by one of several starts at the same time.
        linkSync(own, lock)
        return { release: () => rmSync(lock, { force: true }) }
      } catch (error) {
        if (errorCode(error) !== 'EEXIST') throw error
      }
      const holder = readHolder(lock)
      if (tries === 3 || (holder && isSame(holder))) {
        throw new AppError(
          'conflict',
          'ALREADY_RUNNING',
          `Halles already runs on ${folder}${holder ? ` (process ${holder.pid}, ${holder.url})` : ''}. Stop it first, or start another one beside it: --data DIR --port N.`,
        )
      }
      rmSync(lock, { force: true })
    }
  } finally {
    rmSync(own, { force: true })
  }
}

/** Who works on the folder now; undefined when nobody does. */
export function holderOf(folder: string): Holder | undefined {
  const holder = readHolder(join(folder, 'lock.json'))
  return holder && isSame(holder) ? holder : undefined
}

function readHolder(lock: string): Holder | undefined {
  const text = readText(lock)
  if (text === undefined) return undefined
  try {
    return JSON.parse(text) as Holder
  } catch (error) {
    // A machine that lost power may leave an empty file: nobody holds it.
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

/** The process that wrote the lock still runs, and its id was not given to another one. */
function isSame(holder: Holder): boolean {
  return isAlive(holder.pid) && startMark(holder.pid) === holder.startMark
}
