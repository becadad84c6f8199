import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { extname, join, relative, resolve } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const app = resolve(import.meta.dirname, '..')
const root = resolve(app, '../..')
const folder = join(root, 'dist/apps/web')
const target = join(folder, 'build')

/** Everything that a page is made of. */
const sources = [
  'apps/web/src',
  'apps/web/public',
  'apps/web/vite.config.ts',
  'apps/web/react-router.config.ts',
  'apps/web/scripts/build.ts',
  'contracts/gen/routing.ts',
  'package-lock.json',
]

// A small file gains less than its encoding's header costs.
const leastBytes = 512
const compressed = new Set(['.js', '.css', '.svg', '.json', '.txt', '.webmanifest'])

async function filesIn(path: string): Promise<string[]> {
  if (extname(path) !== '') return [path]
  const entries = await readdir(path, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}

async function hashSources(): Promise<string> {
  const hash = createHash('sha256')
  for (const source of sources) {
    for (const file of (await filesIn(join(root, source))).sort()) {
      hash
        .update(relative(root, file))
        .update('\0')
        .update(await readFile(file))
    }
  }
  return hash.digest('hex')
}

function runBuild(directory: string): Promise<void> {
  const tool = join(root, 'node_modules/@react-router/dev/bin.cjs')
  const child = spawn(process.execPath, [tool, 'build'], {
    cwd: app,
    env: { ...process.env, WEB_BUILD_DIRECTORY: relative(app, directory), NODE_ENV: 'production' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      said += chunk.toString()
    })
  }
  return new Promise((done, fail) => {
    child.once('error', fail)
    child.once('close', (code) => {
      if (code === 0) done()
      else fail(new Error(`The pages could not be built:\n${said.slice(-4_000)}`))
    })
  })
}

/** Once here, so that serving costs nothing. */
async function compress(folder: string): Promise<void> {
  for (const file of await filesIn(folder)) {
    if (!compressed.has(extname(file))) continue
    const body = await readFile(file)
    if (body.length < leastBytes) continue
    const params = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY }
    await writeFile(`${file}.br`, brotliCompressSync(body, { params }))
    await writeFile(`${file}.gz`, gzipSync(body, { level: 9 }))
  }
}

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code

/** Whether what lies there was built from these sources. The build carries its own stamp. */
async function isBuilt(hash: string): Promise<boolean> {
  try {
    return JSON.parse(await readFile(join(target, 'build.json'), 'utf8')).hash === hash
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    throw error
  }
}

/** Puts the draft in the place of the last build, whoever else does so at the same time. */
async function replaceBuild(draft: string, hash: string): Promise<void> {
  const old = `${draft}.old`
  // Another process may have built the same meanwhile, and somebody may be reading it.
  while (!(await isBuilt(hash))) {
    try {
      await rename(target, old)
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
    }
    try {
      return await rename(draft, target)
    } catch (error) {
      // Somebody was faster between the two steps.
      if (codeOf(error) !== 'ENOTEMPTY' && codeOf(error) !== 'EEXIST') throw error
    } finally {
      await rm(old, { recursive: true, force: true })
    }
  }
}

/**
 * Builds the pages when a source has changed, aside; a build that fails leaves the last one in
 * place, and stacks that start at once do not disturb each other.
 */
async function build(): Promise<void> {
  const hash = await hashSources()
  if (await isBuilt(hash)) return
  const startedAtMs = performance.now()
  const draft = join(folder, `build.${process.pid}`)
  await mkdir(folder, { recursive: true })
  try {
    await runBuild(draft)
    await compress(join(draft, 'client'))
    // Loaded as a module wherever it lies.
    await writeFile(join(draft, 'server/package.json'), '{"type":"module"}\n')
    await writeFile(join(draft, 'build.json'), `${JSON.stringify({ hash })}\n`)
    await replaceBuild(draft, hash)
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
  console.log(`pages built in ${((performance.now() - startedAtMs) / 1_000).toFixed(1)} s`)
}

await build()
