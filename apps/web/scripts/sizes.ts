import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'

const client = resolve(import.meta.dirname, '../../../dist/apps/web/build/client')

// Compressed bytes. What the first page of the shop loads before its visitor does anything …
const atLoadBudget = 90 * 1024
// … and all that it runs on afterwards: React 19 and React Router 8 alone are 86 KB of it.
const inAllBudget = 110 * 1024

type Chunk = { file: string; imports?: string[]; dynamicImports?: string[]; css?: string[] }

const manifest = JSON.parse(await readFile(join(client, '.vite/manifest.json'), 'utf8')) as Record<
  string,
  Chunk
>

/** A chunk and everything that it imports. */
function reach(key: string, found = new Set<string>()): Set<string> {
  if (found.has(key)) return found
  found.add(key)
  for (const next of manifest[key]?.imports ?? []) reach(next, found)
  return found
}

const keyOf = (source: string) => {
  const key = Object.keys(manifest).find((each) => each.split('?')[0] === source)
  if (!key) throw new Error(`${source} is not in the build.`)
  return key
}

async function sizeOf(file: string): Promise<number> {
  const path = join(client, file)
  const body = await readFile(`${path}.br`).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return readFile(path)
    throw error
  })
  return body.length
}

async function sum(files: Iterable<string>): Promise<number> {
  const sizes = await Promise.all([...new Set(files)].map(sizeOf))
  return sizes.reduce((total, size) => total + size, 0)
}

const say = (label: string, bytes: number) =>
  console.log(`${label.padEnd(44)} ${(bytes / 1024).toFixed(1).padStart(7)} KB`)

/** The scripts of a page of the shop, with one language. */
async function scriptsOf(sources: readonly string[]): Promise<number> {
  const keys = new Set(
    ['src/entry.client.tsx', 'src/text/shop/en.ts', 'src/root.tsx', ...sources].flatMap(
      (source) => [...reach(keyOf(source))],
    ),
  )
  return sum([...keys].map((key) => manifest[key]?.file ?? ''))
}

const layout = 'src/routes/shop/layout.tsx'
const pages: Record<string, string[]> = {
  home: [layout, 'src/routes/shop/home.tsx'],
  search: [layout, 'src/routes/shop/search.tsx'],
  product: [layout, 'src/routes/shop/product.tsx'],
  cart: [layout, 'src/routes/shop/cart.tsx'],
  'office/products': ['src/routes/office/layout.tsx', 'src/routes/office/products.tsx'],
  'console/overview': ['src/routes/console/layout.tsx', 'src/routes/console/overview.tsx'],
}

const { startScript } = await import('../src/start-script.ts')
const atLoad = Buffer.byteLength(startScript)
say('shop, at load (inline)', atLoad)
let largest = 0
for (const [name, sources] of Object.entries(pages)) {
  const size = await scriptsOf(sources)
  say(`${name}, all scripts`, size)
  if (!name.includes('/')) largest = Math.max(largest, size)
}
const faults = [
  ...(atLoad > atLoadBudget ? [`The shop loads more than ${atLoadBudget} bytes of scripts.`] : []),
  ...(largest > inAllBudget ? [`A page of the shop has more than ${inAllBudget} bytes.`] : []),
]
for (const fault of faults) console.error(fault)
process.exitCode = faults.length === 0 ? 0 : 1
