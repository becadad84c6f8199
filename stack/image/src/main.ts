import { dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parts } from '../../src/topology.ts'
import { isAnswering } from './health.ts'

// The bundle keeps the layout of the sources, so this is the root in both.
const root = resolve(import.meta.dirname, '../../..')
const isBundle = import.meta.filename.endsWith('.js')

const help = `The image of Halles: every part of the platform, by its name.

  halles NAME           runs ${parts.map(({ name }) => name).join(', ')}
  halles migrate NAME   brings the database of a part up to date and ends; it needs DATABASE_URL alone.
                        Several names take NAME_DATABASE_URL each
  halles health         ends with 0 when the part in this container answers /healthz on PORT
  halles ready          the same for /readyz

Every variable can be given as a file: NAME_FILE instead of NAME.
`

/** Where the module of an entry lies, beside this one. */
const moduleOf = (entry: string) =>
  pathToFileURL(join(root, isBundle ? entry.replace(/\.ts$/, '.js') : entry)).href

async function run(name: string | undefined, rest: readonly string[]): Promise<void> {
  if (name === 'health' || name === 'ready') {
    process.exitCode = (await isAnswering(name === 'health' ? '/healthz' : '/readyz')) ? 0 : 1
    return
  }
  if (name === 'migrate') {
    const { migrateParts } = await import(moduleOf('stack/image/src/migrate.ts'))
    await migrateParts(rest, (entry: string) => join(root, dirname(entry), '../migrations'))
    return
  }
  const part = parts.find((each) => each.name === name)
  if (part !== undefined) {
    await import(moduleOf(part.entry))
    return
  }
  const isAsked = name === '--help'
  process[isAsked ? 'stdout' : 'stderr'].write(help)
  process.exitCode = isAsked ? 0 : 2
}

const [name, ...rest] = process.argv.slice(2)
try {
  await run(name, rest)
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
