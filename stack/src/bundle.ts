import { createHash } from 'node:crypto'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { AppError } from '@halles/kit/errors'
import type { Plugin } from 'esbuild'
import { readJson, readText, writeJson } from './files.ts'

/** The root of the repository. */
export const root = resolve(import.meta.dirname, '../..')

/** Loaded from node_modules at run time: native code, and what most stacks never load. */
export const external = ['@node-rs/argon2', '@platformatic/kafka', 'rabbitmq-client', 'sharp']

type BundleRecord = { lock: string; entries: readonly string[]; inputs: Record<string, string> }

/** Where the bundle of an entry lies: `dist/` keeps the layout of the sources. */
export function bundleOf(entry: string): string {
  return join(root, 'dist', entry.replace(/\.ts$/, '.js'))
}

function hashOf(path: string): string | undefined {
  const text = readText(path)
  return text === undefined ? undefined : createHash('sha1').update(text).digest('hex')
}

/** Throws when a source is missing: nothing can be started without it. */
export function checkEntries(entries: readonly string[]): void {
  const missing = entries.filter((entry) => !existsSync(join(root, entry)))
  if (missing.length === 0) return
  throw new AppError(
    'unavailable',
    'SOURCE_MISSING',
    `These sources are missing: ${missing.join(', ')}. Is the clone complete? Try "git status".`,
  )
}

/** Whether the bundles of the entries were made from the sources as they are now. */
export function isBundled(entries: readonly string[]): boolean {
  const known = readJson(join(root, 'dist/.bundle.json')) as BundleRecord | undefined
  if (known?.lock !== hashOf(join(root, 'package-lock.json'))) return false
  if (!entries.every((entry) => known?.entries.includes(entry) && existsSync(bundleOf(entry))))
    return false
  return Object.entries(known?.inputs ?? {}).every(
    ([path, hash]) => hashOf(join(root, path)) === hash,
  )
}

/**
 * Bundles each entry into one file, and returns the folders of the packages that went in. Meant for
 * a process of its own: it takes memory.
 */
export async function bundle(entries: readonly string[]): Promise<string[]> {
  checkEntries(entries)
  const { build, stop } = await import('esbuild')
  try {
    const result = await build({
      absWorkingDir: root,
      entryPoints: [...entries],
      outbase: root,
      outdir: join(root, 'dist'),
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node24',
      sourcemap: 'linked',
      sourcesContent: false,
      legalComments: 'none',
      minifyWhitespace: true,
      // Packages in the older module format expect these names.
      banner: {
        js: [
          "import { createRequire as createRequireHere } from 'node:module'",
          'const require = createRequireHere(import.meta.url)',
          'const __filename = import.meta.filename, __dirname = import.meta.dirname',
        ].join(';'),
      },
      external,
      plugins: [mapOwnLines],
      metafile: true,
      write: false,
      logLevel: 'warning',
    })
    for (const { path, contents } of result.outputFiles) writeWhole(path, contents)
    for (const entry of entries) copyMigrations(entry)
    const sources = Object.keys(result.metafile.inputs).filter(
      (path) => !path.includes('node_modules/'),
    )
    const inputs = [...sources, 'stack/src/bundle.ts', ...entries.flatMap(migrationsOf)]
    writeJson(join(root, 'dist/.bundle.json'), {
      lock: hashOf(join(root, 'package-lock.json')) ?? '',
      entries,
      inputs: Object.fromEntries(inputs.map((path) => [path, hashOf(join(root, path)) ?? ''])),
    } satisfies BundleRecord)
    return packagesIn(Object.keys(result.metafile.inputs))
  } finally {
    await stop()
  }
}

/** The folders of packages, such as `node_modules/pg`, that hold these files. */
function packagesIn(files: readonly string[]): string[] {
  const pattern = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/
  return [...new Set(files.flatMap((file) => pattern.exec(file)?.[0] ?? []))].sort()
}

/** A process that starts meanwhile sees the old or the new file, never a half. */
function writeWhole(path: string, contents: Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true })
  const draft = `${path}.${process.pid}`
  writeFileSync(draft, contents)
  renameSync(draft, path)
}

const migrationsFolder = (entry: string) => join(dirname(entry), '../migrations')

function migrationsOf(entry: string): string[] {
  const folder = join(root, migrationsFolder(entry))
  if (!existsSync(folder)) return []
  return readdirSync(folder).map((name) => join(migrationsFolder(entry), name))
}

function copyMigrations(entry: string): void {
  const target = join(root, 'dist', migrationsFolder(entry))
  rmSync(target, { recursive: true, force: true })
  if (migrationsOf(entry).length === 0) return
  cpSync(join(root, migrationsFolder(entry)), target, { recursive: true })
}

/**
 * Lines of our own code only: a map of every package's lines costs each process 16 MB. A trace
 * names a package's file, at line 1.
 */
const mapOwnLines: Plugin = {
  name: 'map-own-lines',
  setup(builder) {
    builder.onLoad({ filter: /node_modules\/.*\.[cm]?js$/ }, async ({ path }) => {
      const map = JSON.stringify({ version: 3, sources: [basename(path)], mappings: 'AAAA' })
      const comment = `//# sourceMappingURL=data:application/json;base64,${btoa(map)}`
      return { contents: `${await readFile(path, 'utf8')}\n${comment}`, loader: 'js' }
    })
  },
}

if (import.meta.main) await bundle(process.argv.slice(2))
