import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const root = resolve(import.meta.dirname, '../..')
const source = join(root, 'packages/client')
// Compiling the types takes some seconds on a busy machine.
const limitMs = 120_000

export type Packed = {
  /** A folder in which `@halles/client` is installed as npm would. */
  folder: string
  /** What the package holds. */
  files: string[]
  /** The module as one text. */
  script: string
  remove(): Promise<void>
}

/** Builds and packs the client as for npm, and unpacks it where nothing else is. */
export async function packClient(): Promise<Packed> {
  const folder = await mkdtemp(join(tmpdir(), 'halles-client-'))
  const args = ['pack', '--json', '--pack-destination', folder]
  const { stdout } = await run('npm', args, { cwd: source, timeout: limitMs })
  // What the build prints comes before.
  const [packed] = JSON.parse(stdout.slice(stdout.indexOf('[\n'))) as {
    filename: string
    files: { path: string }[]
  }[]
  if (!packed) throw new Error('npm packed nothing.')
  const scope = join(folder, 'node_modules/@halles')
  await mkdir(scope, { recursive: true })
  await run('tar', ['-xzf', join(folder, packed.filename), '-C', scope])
  await rename(join(scope, 'package'), join(scope, 'client'))
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }\n')
  return {
    folder,
    files: packed.files.map(({ path }) => path),
    script: await readFile(join(scope, 'client/dist/index.js'), 'utf8'),
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}

/** The first example of the package's README. */
export async function readExample(): Promise<string> {
  const text = await readFile(join(source, 'README.md'), 'utf8')
  const example = /```js\n([\s\S]*?)```/.exec(text)?.[1]
  if (example === undefined) throw new Error('The README has no example.')
  return example
}

/** Every Node that is installed here and that the client is made for, oldest first, by version. */
export async function findNodes(): Promise<Map<string, string>> {
  const nodes = new Map<string, string>()
  for (const folder of [...(process.env.PATH ?? '').split(':'), '/usr/bin', '/usr/local/bin']) {
    const path = join(folder, 'node')
    const version = await run(path, ['--version'], { timeout: 10_000 }).then(
      ({ stdout }) => stdout.trim(),
      // Not there.
      () => undefined,
    )
    if (version !== undefined && Number(version.slice(1).split('.')[0]) >= 20) {
      nodes.set(version, path)
    }
  }
  return new Map([...nodes].sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true })))
}
