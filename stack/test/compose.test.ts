import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { type ConfigSchema, loadConfig } from '@halles/kit/config'
import { composeFiles } from '../src/compose.ts'
import { composeLoader, loaderFaults } from '../src/compose-check.ts'
import { composeSecrets } from '../src/compose-secrets.ts'
import { parts } from '../src/topology.ts'

const root = resolve(import.meta.dirname, '../..')
const read = (name: string) => readFileSync(join(root, 'deploy/compose', name), 'utf8')

/** The lines of one service: those that are indented below its name. */
function serviceIn(text: string, name: string): string {
  const found = new RegExp(`^  ${name}:\\n((?:    .*\\n|\\n)+)`, 'm').exec(text)?.[1]
  assert.ok(found, `${name} is missing`)
  return found
}

function environmentIn(service: string): Record<string, string> {
  const lines = /^ {4}environment:\n((?: {6}.*\n)+)/m.exec(service)?.[1] ?? ''
  const entries = lines
    .trimEnd()
    .split('\n')
    .map((line): [string, string] => {
      const [, name = '', value = ''] = /^ {6}(\w+): (.*)$/.exec(line) ?? []
      return [name, resolveVariables(JSON.parse(value))]
    })
  return Object.fromEntries(entries)
}

/** The variables that a container ends up with, each file's content in place of its name. */
function settingsIn(service: string, secrets: Record<string, string>): Record<string, string> {
  const mounted = listIn(service, 'secrets')
  const entries = Object.entries(environmentIn(service)).map(([name, value]) => {
    const file = /^\/run\/secrets\/(.+)$/.exec(value)?.[1]
    if (file === undefined) return [name, value]
    assert.match(name, /_FILE$/)
    assert.ok(mounted.includes(file), `${file} is not mounted`)
    assert.ok(secrets[file], `${file} is not made`)
    return [name.replace(/_FILE$/, ''), secrets[file]]
  })
  return Object.fromEntries(entries)
}

/** The texts of a list of one service. */
function listIn(service: string, key: string): string[] {
  const lines = new RegExp(`^ {4}${key}:\\n((?: {6}- .*\\n)+)`, 'm').exec(service)?.[1] ?? ''
  return lines
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line.replace(/^ {6}- /, '')))
}

/** What Compose does: `${NAME:-default}`, from the inside out. */
function resolveVariables(text: string): string {
  const once = text.replace(/\$\{(\w+):-([^${}]*)\}/g, (_match, _name, rest: string) => rest)
  return once === text ? text : resolveVariables(once)
}

test('the files say what the topology says', () => {
  for (const [path, text] of Object.entries(composeFiles())) {
    const isSame = readFileSync(join(root, 'deploy', path), 'utf8') === text
    assert.ok(isSame, `deploy/${path} is stale: node stack/src/compose.ts`)
  }
  for (const { name } of parts) {
    assert.deepEqual(listIn(serviceIn(read('halles.yaml'), name), 'command'), [name])
  }
})

type Config = { host: string; kafkaBrokers: string[]; amqpUrl: string }
type Room = { [name: string]: (environment: Record<string, string>) => Config } & {
  schema?: ConfigSchema
}

/** Reads a configuration as the service does: by its function, or from its schema. */
async function readConfig(path: string, environment: Record<string, string>): Promise<Config> {
  const { schema, ...rest } = (await import(path)) as Room
  if (schema !== undefined) return loadConfig(schema, environment) as Config
  const read = Object.values(rest).find((each) => typeof each === 'function')
  assert.ok(read, `${path} has nothing to read a configuration with`)
  return read(environment)
}

test('every service accepts the configuration that its container gets', async () => {
  const secrets = composeSecrets()
  for (const { name, entry } of parts.filter((part) => part.entry.startsWith('services/'))) {
    const environment = settingsIn(serviceIn(read('halles.yaml'), name), secrets)
    const config = await readConfig(join(root, entry, '../config.ts'), environment)
    assert.equal(config.host, '0.0.0.0', name)
    assert.deepEqual(config.kafkaBrokers, ['kafka:19092'], name)
    assert.match(config.amqpUrl, /^amqp:\/\/halles:[\w-]+@rabbitmq:5672$/, name)
    const others = Object.values(environment).filter((value) => value.includes('127.0.0.1'))
    assert.deepEqual(others, [], `${name} would look for others in its own container`)
  }
})

test('people come in at HAProxy alone', () => {
  const text = read('halles.yaml')
  assert.match(serviceIn(text, 'haproxy'), /image: "haproxy:\d+\.\d+\.\d+-/)
  const published = [...text.matchAll(/^ {4}ports:\n((?: {6}- .*\n)+)/gm)].flatMap(
    ([, list = '']) => list.trim().split('\n'),
  )
  const open = published.filter((line) => !line.includes('127.0.0.1:'))
  assert.equal(open.length, 2)
  assert.ok(open.every((line) => serviceIn(text, 'haproxy').includes(line.trim())))
})

test('each database is created for its service, with the password that the service has', () => {
  const secrets = composeSecrets()
  const text = read('halles.yaml')
  const server = serviceIn(text, 'postgres')
  const migrations = settingsIn(serviceIn(text, 'migrations'), secrets)
  for (const { name, database } of parts) {
    if (database === undefined) continue
    assert.ok(environmentIn(server).DATABASES?.split(' ').includes(`${database}:${name}`), name)
    // The server's script reads the password out of the same file.
    assert.ok(listIn(server, 'secrets').includes(`database-url-${name}`), name)
    const { DATABASE_URL } = settingsIn(serviceIn(text, name), secrets)
    const pattern = new RegExp(`^postgres://${name}:[\\w-]+@postgres:5432/${database}$`)
    assert.match(DATABASE_URL ?? '', pattern)
    assert.equal(migrations[`${name.toUpperCase()}_DATABASE_URL`], DATABASE_URL)
  }
})

test('no secret stands in an environment, and each container sees those that it uses', () => {
  const secrets = composeSecrets()
  const text = read('halles.yaml')
  for (const name of ['migrations', ...parts.map((part) => part.name)]) {
    const service = serviceIn(text, name)
    const used = Object.values(environmentIn(service)).flatMap((value) =>
      value.startsWith('/run/secrets/') ? [value.slice('/run/secrets/'.length)] : [],
    )
    assert.deepEqual(listIn(service, 'secrets').sort(), [...new Set(used)].sort(), name)
    const plain = Object.keys(environmentIn(service)).filter((key) =>
      /(SECRET|KEY|KEYS|PASSWORD|DATABASE_URL|AMQP_URL|REDIS_URL)$/.test(key),
    )
    assert.deepEqual(plain, [], name)
  }
  const files = ['halles.yaml', 'brokers.yaml', 'observability.yaml'].map(read).join('\n')
  for (const name of Object.keys(secrets)) {
    assert.ok(files.includes(`./secrets/${name}`), `${name} is made and used by nobody`)
  }
})

test('our containers can write nothing, may do nothing special, and start on databases that are up to date', () => {
  const text = read('halles.yaml')
  for (const { name, database } of parts) {
    const service = serviceIn(text, name)
    assert.match(service, /^ {4}read_only: true$/m, name)
    assert.deepEqual(listIn(service, 'cap_drop'), ['ALL'], name)
    assert.deepEqual(listIn(service, 'security_opt'), ['no-new-privileges:true'], name)
    assert.match(service, /^ {4}build:\n {6}context: "..\/.."$/m, name)
    const gate = /migrations:\n {8}condition: "service_completed_successfully"/
    assert.equal(gate.test(service), database !== undefined, name)
  }
})

test('every container is bounded, and says whether it is well', () => {
  // The first ends; the others hold no program that could ask, and Prometheus asks the second.
  const withoutCheck = ['migrations', 'otel-collector', 'jaeger']
  for (const file of ['brokers.yaml', 'halles.yaml', 'observability.yaml']) {
    const [services = ''] = (read(file).split(/^services:$/m)[1] ?? '').split(/^\w/m)
    const names = [...services.matchAll(/^ {2}([\w-]+):$/gm)].map(([, name = '']) => name)
    assert.ok(names.length > 2)
    for (const name of names) {
      const service = serviceIn(services, name)
      // On top: what it says there is added to the rest.
      if (file === 'observability.yaml' && !service.includes('image:')) continue
      if (/image: /.test(service) && file === 'brokers.yaml') {
        assert.match(service, /image: [\w/]+:\d+\.\d+\.\d+/)
      }
      for (const key of ['mem_limit:', 'cpus:', 'pids_limit:', 'security_opt:', 'cap_drop:']) {
        assert.ok(service.includes(key), `${file}: ${name} has no ${key}`)
      }
      const isChecked =
        /healthcheck:\n {6}test:/.test(service) || /healthcheck:\n {6}#/.test(service)
      assert.equal(isChecked, !withoutCheck.includes(name), `${file}: ${name}`)
    }
  }
  const published = [...read('brokers.yaml').matchAll(/ports:\n {6}- (.*)/g)]
  assert.ok(published.every(([, port = '']) => port.startsWith('127.0.0.1:')))
})

test('whoever watches finds every instance by its name, and gets its spans', () => {
  const scrape = readFileSync(join(root, 'deploy/compose/observability/prometheus.yaml'), 'utf8')
  for (const { name, listens } of parts.filter((part) => part.listens.includes('metrics'))) {
    assert.ok(listens.length > 0 && scrape.includes(`"${name}"`), name)
    const { OTEL_EXPORTER_OTLP_ENDPOINT } = environmentIn(
      serviceIn(read('observability.yaml'), name),
    )
    assert.equal(OTEL_EXPORTER_OTLP_ENDPOINT, 'http://otel-collector:4318', name)
  }
})

const loader = composeLoader.installed()
const withoutLoader =
  loader === undefined ? 'the loader of Docker Compose: node stack/src/compose-check.ts' : false

test('Docker Compose accepts the files, and refuses a word that it does not know', {
  skip: withoutLoader,
}, async () => {
  assert.deepEqual(await loaderFaults(loader ?? ''), [])
  const folder = mkdtempSync(join(tmpdir(), 'halles-compose-'))
  try {
    const path = join(folder, 'brokers.yaml')
    writeFileSync(path, read('brokers.yaml').replace('mem_limit', 'memory_limit'))
    const [fault = ''] = await loaderFaults(loader ?? '', [[path]])
    assert.match(fault, /memory_limit/)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
