import {
  chmodSync,
  cpSync,
  existsSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { bundle, bundleOf, external, root } from '../../src/bundle.ts'
import { terminalReport } from '../../src/report.ts'
import { parts } from '../../src/topology.ts'
import { buildPages } from '../../src/web-pages.ts'
import { closureOf, licencesOf, nameOf, readLock } from './packages.ts'
import { billOf } from './sbom.ts'

const help = `Lays out what the image holds, for deploy/image/Dockerfile.

  node stack/image/src/assemble.ts FOLDER

FOLDER gets a folder per layer, what changes least first: node, data, packages, halles.
SOURCE_DATE_EPOCH is the time of every file, in seconds since 1970.
`

// Beside what esbuild bundles: what Vite puts into the pages, for browsers and for the server.
const inPages = ['@react-router/node', 'react', 'react-dom', 'react-router']

// Nothing reads them at run time, and they are half of the bytes.
const isNeeded = (path: string) =>
  !/(\.d\.[cm]?ts|\.map|\/(readme|changelog|history)(\.md)?)$/i.test(path)

function copyPackages(folders: readonly string[], target: string): void {
  for (const folder of folders) {
    // A package that lies in another one is in the list too, where it is needed.
    const nested = join(root, folder, 'node_modules')
    cpSync(join(root, folder), join(target, folder), {
      recursive: true,
      dereference: true,
      filter: (path) => path !== nested && isNeeded(path),
    })
  }
}

function copyBundles(entries: readonly string[], target: string): void {
  for (const entry of entries) {
    const file = bundleOf(entry)
    const migrations = join(dirname(file), '../migrations')
    for (const path of [file, `${file}.map`, migrations]) {
      if (!existsSync(path)) continue
      cpSync(path, join(target, relative(root, path)), { recursive: true })
    }
  }
  const pages = join(target, 'dist/apps/web/build')
  cpSync(join(root, 'dist/apps/web/build'), pages, { recursive: true })
  // The folder that they were built in, which is named by the number of a process, and which nobody
  // looks for.
  const server = join(pages, 'server/index.js')
  const text = readFileSync(server, 'utf8')
  writeFileSync(server, text.replace(/(\/apps\/web\/build)\.\d+(\/client)/, '$1$2'))
}

/** Readable by everybody, writable by root alone, and of one time: the same bytes on every machine. */
function settle(path: string, epochSeconds: number): void {
  const entries = readdirSync(path, { withFileTypes: true })
  for (const entry of entries) {
    const child = join(path, entry.name)
    if (entry.isDirectory()) settle(child, epochSeconds)
    else {
      chmodSync(child, basename(child) === 'node' ? 0o755 : 0o644)
      lutimesSync(child, epochSeconds, epochSeconds)
    }
  }
  chmodSync(path, 0o755)
  lutimesSync(path, epochSeconds, epochSeconds)
}

async function assemble(target: string, epochSeconds: number): Promise<void> {
  const lock = readLock(root)
  const tools = ['stack/image/src/main.ts', 'stack/image/src/migrate.ts']
  const entries = [...parts.map(({ entry }) => entry), ...tools]
  const bundled = await bundle(entries)
  await buildPages(terminalReport)

  const node = `node_modules/node-linux-${process.arch}`
  const loaded = closureOf(root, lock, external)
  const folders = new Set([...bundled, ...loaded, ...closureOf(root, lock, inPages), node])
  const sorted = [...folders].sort()

  const packages = [...new Set(sorted.map((folder) => nameOf(lock, folder)))]

  rmSync(target, { recursive: true, force: true })
  const halles = join(target, 'halles/halles')
  mkdirSync(halles, { recursive: true })
  cpSync(join(root, node, 'bin/node'), join(target, 'node/usr/local/bin/node'))
  copyPackages(loaded, join(target, 'packages/halles'))
  copyBundles(entries, halles)
  writeFileSync(join(halles, 'package.json'), '{"type":"module"}\n')
  writeFileSync(join(halles, 'sbom.cdx.json'), billOf(root, { packages, epochSeconds }))
  writeFileSync(join(halles, 'licences.txt'), licencesOf(root, lock, sorted))
  cpSync(join(root, 'LICENSE'), join(halles, 'LICENSE'))
  // The sandbox's, which a volume takes its owner from.
  mkdirSync(join(target, 'data/data'), { recursive: true })
  settle(target, epochSeconds)
  process.stdout.write(`${packages.length} packages: ${packages.join(', ')}\n`)
}

const [folder] = process.argv.slice(2)
const epochSeconds = Number(process.env.SOURCE_DATE_EPOCH ?? 0)
if (folder === undefined || folder === '--help' || !Number.isSafeInteger(epochSeconds)) {
  process.stdout.write(help)
  process.exitCode = folder === '--help' ? 0 : 2
} else {
  await assemble(resolve(folder), epochSeconds)
}
