import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { test } from 'node:test'
import { architecture } from '../contracts/gen/architecture.ts'
import { parts } from '../stack/src/topology.ts'

const root = resolve(import.meta.dirname, '..')
const services = await foldersIn('services')
const apps = await foldersIn('apps')
const packages = await foldersIn('packages')

/** `import … from`, `export … from`, a bare import and a dynamic one. */
const importPattern =
  /^(?:import|export)\s[^'";]*?from\s*'([^']+)'|^import\s*'([^']+)'|\bimport\('([^']+)'\)/gm

type Source = { path: string; text: string; imports: string[] }

async function foldersIn(folder: string): Promise<string[]> {
  const entries = await readdir(join(root, folder), { withFileTypes: true })
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)
}

async function readSources(folder: string): Promise<Source[]> {
  const entries = await readdir(join(root, folder), { recursive: true, withFileTypes: true })
  const paths = entries
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((path) => !/node_modules|\/dist\/|\/\./.test(path))
  return Promise.all(
    paths.map(async (path) => {
      const text = await readFile(join(root, path), 'utf8')
      const found = [...text.matchAll(importPattern)]
      return { path, text, imports: found.map(([, ...names]) => names.find(Boolean) as string) }
    }),
  )
}

/** The room of a service's source: `store` for store.ts and for everything in store/. */
function roomOf(path: string): string {
  return (path.split('/src/')[1] ?? '').split('/')[0]?.replace(/\.ts$/, '') ?? ''
}

const serviceSources = (
  await Promise.all(services.map((service) => readSources(`services/${service}/src`)))
).flat()

/** What a room may import from its own service, and what to do instead. */
const rooms: Record<string, { mayImport: readonly string[]; instead: string }> = {
  domain: { mayImport: ['domain'], instead: 'pass what it needs as a value' },
  ports: { mayImport: ['domain', 'ports'], instead: 'describe the need as a type' },
  'use-cases': {
    mayImport: ['domain', 'ports', 'use-cases'],
    instead: 'take the thing as a port and let app.ts connect it',
  },
  store: { mayImport: ['domain', 'ports', 'store'], instead: 'let the use case order the steps' },
  clients: {
    mayImport: ['domain', 'ports', 'clients'],
    instead: 'let the use case order the steps',
  },
  http: { mayImport: ['use-cases', 'ports', 'http', 'domain'], instead: 'call a use case' },
  grpc: { mayImport: ['use-cases', 'ports', 'grpc', 'domain'], instead: 'call a use case' },
  consumers: {
    mayImport: ['use-cases', 'ports', 'consumers', 'domain'],
    instead: 'call a use case',
  },
}

test('a service never imports another service', () => {
  for (const { path, imports } of serviceSources) {
    const own = path.split('/').slice(0, 2).join('/')
    for (const specifier of imports.filter((name) => name.startsWith('.'))) {
      const target = relative(root, resolve(root, dirname(path), specifier))
      assert.ok(
        target.startsWith(own),
        `${path} imports ${specifier}: call the service through its contract (clients.ts), or move what both need to the kit.`,
      )
    }
    const foreign = imports.find((name) =>
      services.some((service) => name.startsWith(`@halles/${service}`)),
    )
    assert.equal(foreign, undefined, `${path} imports ${foreign}: use its contract instead.`)
  }
})

/** What an app may know of the platform: the public API, and plumbing without messages and gRPC. */
const openToApps = new RegExp(
  `^@halles/(contracts/gen/(http/[a-z-]+|routing)|kit/(${[
    ...['address-source', 'breaker', 'config', 'database', 'errors', 'http-client'],
    ...['http-server', 'lifecycle', 'logging', 'loop', 'metrics', 'rotating-secrets'],
  ].join('|')}))$`,
)

test('an app talks to the platform through the public API alone', async () => {
  for (const app of apps) {
    for (const { path, text, imports } of await readSources(`apps/${app}`)) {
      const isTest = path.includes('/test/')
      const foreign = imports.find((name) => {
        const isOpen = openToApps.test(name) || (isTest && name === '@halles/kit/testing')
        return name.startsWith('@halles/') && !isOpen
      })
      assert.equal(foreign, undefined, `${path} imports ${foreign}: call the API instead.`)
      for (const name of imports.filter((each) => each.startsWith('.'))) {
        const target = relative(root, resolve(root, dirname(path), name))
        assert.ok(
          target.startsWith(`apps/${app}/`),
          `${path} imports ${name}: call the API instead.`,
        )
      }
      // A test names it to prove that it is refused.
      if (!isTest) assert.doesNotMatch(text, /\/internal\/v1\//, path)
    }
  }
})

test('what runs in the browser imports nothing of the server but types', async () => {
  // Vite keeps `.server.ts` out of the browser, and refuses a page that needs it there.
  const ofServer = /^import (?!type\b)[^;']*?from '(@halles\/[^']+|[^']*\/server\/[^']+)'/gm
  const shown = /\/src\/(design|text|pictures|routes)\//
  for (const app of apps) {
    for (const { path, text, imports } of await readSources(`apps/${app}/src`)) {
      if (!shown.test(path)) continue
      const isPage = path.includes('/src/routes/')
      const wrong = [...text.matchAll(ofServer)]
        .map(([, name]) => name)
        .find((name) => !(isPage && name?.endsWith('.server.ts')))
      const node = imports.find((name) => name.startsWith('node:') && !path.includes('.server.'))
      const advice = 'pass what it needs from a loader.'
      assert.equal(wrong ?? node, undefined, `${path} imports ${wrong ?? node}: ${advice}`)
    }
  }
})

test('each room of a service imports only what lies below it', () => {
  for (const { path, imports } of serviceSources) {
    const room = rooms[roomOf(path)]
    if (!room || path.startsWith('services/gateway/')) continue
    for (const specifier of imports.filter((name) => name.startsWith('.'))) {
      const target = roomOf(relative(root, resolve(root, dirname(path), specifier)))
      assert.ok(
        room.mayImport.includes(target) || !(target in rooms),
        `${path} imports ${specifier}: instead, ${room.instead}.`,
      )
    }
  }
})

test('the domain is pure: no clock, random, input or output', () => {
  const impure = /\bDate\.now\(|new Date\(\)|Math\.random|randomUUID|uuidv7\(|process\.|\bfetch\(/
  for (const { path, text, imports } of serviceSources.filter((s) => roomOf(s.path) === 'domain')) {
    assert.doesNotMatch(text, impure, `${path}: take it in the use case and pass it as a value.`)
    for (const name of imports.filter((each) => !each.startsWith('.'))) {
      assert.ok(
        ['@halles/kit/errors', '@halles/kit/money'].includes(name) ||
          name.startsWith('@halles/contracts/'),
        `${path} imports ${name}: the domain knows errors, money and contracts only.`,
      )
    }
  }
})

test('only config.ts and stack code read the environment', async () => {
  const kit = await readSources('packages/kit/src')
  const ofApps = (await Promise.all(apps.map((app) => readSources(`apps/${app}/src`)))).flat()
  for (const { path, text } of [...serviceSources, ...kit, ...ofApps]) {
    if (roomOf(path) === 'config' || path === 'packages/kit/src/testing.ts') continue
    assert.doesNotMatch(text, /process\.env\b/, `${path}: put the variable in config.ts.`)
  }
})

test('the kit imports neither contracts nor services', async () => {
  for (const { path, imports } of await readSources('packages/kit/src')) {
    const foreign = imports.find(
      (name) => name.startsWith('@halles/') || name.includes('services/'),
    )
    assert.equal(foreign, undefined, `${path} imports ${foreign}: take it as a parameter.`)
  }
})

test('the client needs nothing but itself, in a browser too', async () => {
  for (const { path, imports } of await readSources('packages/client/src')) {
    const foreign = imports.find((name) => !name.startsWith('./') && !/^\.\.\/\w/.test(name))
    assert.equal(foreign, undefined, `${path} imports ${foreign}: generate it, or write it there.`)
  }
})

test('SQL lives in stores and migrations', () => {
  const sql = /\b(select\s+[\w*].*\bfrom|insert\s+into|update\s+\w+\s+set|delete\s+from)\b/i
  for (const { path, text } of serviceSources) {
    if (['store', 'migrations'].includes(roomOf(path))) continue
    assert.doesNotMatch(text, sql, `${path}: move the statement to store.ts.`)
  }
})

test('every import of a package is declared by the workspace that imports it', async () => {
  const folders = [
    'contracts',
    'stack',
    'lab',
    ...packages.map((name) => `packages/${name}`),
    ...services.map((s) => `services/${s}`),
    ...apps.map((app) => `apps/${app}`),
  ]
  for (const folder of folders) {
    const manifest = JSON.parse(await readFile(join(root, folder, 'package.json'), 'utf8'))
    const declared = { ...manifest.dependencies, ...manifest.devDependencies }
    const rootManifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
    for (const { path, imports } of await readSources(folder)) {
      if (path.includes('/gen/')) continue
      for (const name of imports.filter((each) => !/^(\.|node:)/.test(each))) {
        const packageName = name
          .split('/')
          .slice(0, name.startsWith('@') ? 2 : 1)
          .join('/')
        const isTest = /\/test\//.test(path)
        assert.ok(
          packageName in declared ||
            packageName === manifest.name ||
            (isTest && packageName in rootManifest.devDependencies),
          `${path} imports ${packageName}: declare it in ${folder}/package.json.`,
        )
      }
    }
  }
})

test('every message of the contracts is sent by its producer, and every consumer is fed', async () => {
  const modules = await readdir(join(root, 'contracts/gen/messages'))
  for (const producer of modules.map((name) => name.replace('.ts', ''))) {
    const text = await readFile(join(root, `contracts/gen/messages/${producer}.ts`), 'utf8')
    const messages = [...text.matchAll(/export const (\w+): MessageContract/g)].map((m) => m[1])
    const own = serviceSources.filter(({ path }) => path.startsWith(`services/${producer}/`))
    for (const message of messages) {
      assert.ok(
        own.some((source) => new RegExp(`\\b${message}\\b`).test(source.text)),
        `${producer} never sends ${message}: send it, or remove it from contracts/messages.`,
      )
    }
    const consumers = serviceSources.filter(
      ({ path, imports }) =>
        !path.startsWith(`services/${producer}/`) &&
        imports.includes(`@halles/contracts/gen/messages/${producer}`),
    )
    assert.ok(consumers.length > 0, `Nobody consumes the messages of ${producer}.`)
  }
})

test('the architecture of the contracts is that of the code', () => {
  const edgesOf = (kind: string) => architecture.edges.filter((edge) => edge.kind === kind)
  const pairs = (of: { from: string; to: string }[]) => of.map(({ from, to }) => `${from} → ${to}`)
  const importers = (module: string) =>
    services.filter((service) =>
      serviceSources.some(
        ({ path, imports }) =>
          path.startsWith(`services/${service}/`) &&
          imports.includes(`@halles/contracts/gen/${module}`),
      ),
    )
  const advice = 'contracts/services.yaml or a `consumers` of contracts/messages is not true'

  const asked = parts.flatMap(({ name, callsGrpc = [] }) =>
    callsGrpc.map((to) => ({ from: name, to })),
  )
  assert.deepEqual(pairs(edgesOf('grpc')).sort(), pairs(asked).sort(), advice)
  const stores = parts.flatMap(({ name, database }) =>
    database ? [{ from: name, to: `database:${database}` }] : [],
  )
  assert.deepEqual(pairs(edgesOf('sql')).sort(), pairs(stores).sort(), advice)
  const gateway = parts.find(({ name }) => name === 'gateway')
  const behind = pairs((gateway?.calls ?? []).map((to) => ({ from: 'gateway', to })))
  const served = pairs(edgesOf('http')).filter((each) => each.startsWith('gateway'))
  assert.deepEqual(served.sort(), behind.sort(), advice)
  for (const kind of ['queue', 'topic']) {
    const edges = edgesOf(kind)
    for (const { from: producer, to: address } of edges.filter(({ to }) => to.includes(':'))) {
      const consumers = edges.filter(({ from }) => from === address).map(({ to }) => to)
      const found = importers(`messages/${producer}`).filter((service) => service !== producer)
      assert.deepEqual(consumers.sort(), found.sort(), `${address}: ${advice}`)
    }
  }
})

test('no file of ours is longer than 300 lines', async () => {
  const folders = ['apps', 'contracts/src', 'packages', 'services', 'stack', 'lab', 'scripts']
  for (const folder of folders) {
    for (const { path, text } of await readSources(folder)) {
      // A catalogue is as long as its goods.
      if (/\/test\/|\/gen\/|\/demo-catalogue\.ts$/.test(path)) continue
      const lines = text.split('\n').length
      assert.ok(lines <= 310, `${path} has ${lines} lines: make it a folder of the same name.`)
    }
  }
})
