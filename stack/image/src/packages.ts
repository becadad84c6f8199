import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

/** What `package-lock.json` says of an installed package, by its folder. */
export type Lock = Readonly<Record<string, LockedPackage>>

type LockedPackage = {
  version?: string
  link?: boolean
  dependencies?: Readonly<Record<string, string>>
  optionalDependencies?: Readonly<Record<string, string>>
}

export function readLock(root: string): Lock {
  return JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages
}

/** Where Node finds a package that a folder asks for. */
function folderOf(lock: Lock, name: string, from: string): string | undefined {
  for (let at = from; ; at = dirname(at)) {
    const folder = join(at, 'node_modules', name)
    if (lock[folder] !== undefined) return folder
    if (at === '.') return undefined
  }
}

/**
 * The folders of these packages and of all that they need, as they are installed. An optional one
 * that is not there was made for another machine.
 * @throws Error when one that is needed is missing.
 */
export function closureOf(root: string, lock: Lock, names: readonly string[]): string[] {
  const found = new Set<string>()
  const add = (name: string, from: string, isOptional: boolean) => {
    const folder = folderOf(lock, name, from)
    if (folder === undefined || !existsSync(join(root, folder))) {
      if (isOptional) return
      throw new Error(`${name}, which ${from} needs, is not installed.`)
    }
    if (found.has(folder)) return
    found.add(folder)
    const { dependencies = {}, optionalDependencies = {} } = lock[folder] ?? {}
    for (const each of Object.keys(dependencies)) {
      add(each, folder, each in optionalDependencies)
    }
    for (const each of Object.keys(optionalDependencies)) add(each, folder, true)
  }
  for (const name of names) add(name, '.', false)
  return [...found].sort()
}

/** The name and version of a package, from its folder. */
export function nameOf(lock: Lock, folder: string): string {
  const name = folder.slice(folder.lastIndexOf('node_modules/') + 'node_modules/'.length)
  return `${name}@${lock[folder]?.version}`
}

const licence = /^(licen[cs]e|copying|notice|copyright)([.-].*)?$/i

/** What the authors of these packages want to be told along with their work. */
export function licencesOf(root: string, lock: Lock, folders: readonly string[]): string {
  return folders
    .map((folder) => {
      const files = readdirSync(join(root, folder)).filter((name) => licence.test(basename(name)))
      const { license } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'))
      const texts = files.map((name) => readFileSync(join(root, folder, name), 'utf8').trim())
      return `${nameOf(lock, folder)} (${license ?? 'no word'})\n\n${texts.join('\n\n')}\n`
    })
    .join(`\n${'-'.repeat(80)}\n`)
}
