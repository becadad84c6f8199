import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { type ConfigSchema, loadConfig } from '@halles/kit/config'
import { composeFile, composeSecrets } from '../src/compose.ts'
import { parts } from '../src/topology.ts'

const root = resolve(import.meta.dirname, '../..')
const read = (name: string) => readFileSync(join(root, 'deploy/compose', name), 'utf8')

/** The lines of one service: those that are indented below its name. */
function serviceIn(text: string, name: string): string {
  const found = new RegExp(`^  ${name}:\\n((?:    .*\\n|\\n)+)`, 'm').exec(text)?.[1]
  assert.ok(found, `${name} is missing`)
  return found
}

function environmentIn(service: string, secrets: Record<string, string>): Record<string, string> {
  const lines = /^ {4}environment:\n((?: {6}.*\n)+)/m.exec(service)?.[1] ?? ''
  const entries = lines
    .trimEnd()
    .split('\n')
    .map((line): [string, string] => {
      const [, name = '', value = ''] = /^ {6}(\w+): (.*)$/.exec(line) ?? []
      return [name, resolveVariables(JSON.parse(value), secrets)]
    })
  return Object.fromEntries(entries)
}

/** What Compose does: `${NAME:-default}`, from the inside out, and `${NAME:?message}`. */
function resolveVariables(text: string, secrets: Record<string, string>): string {
  const pattern = /\$\{(\w+):([-?])([^${}]*)\}/g
  const once = text.replace(pattern, (_match, name: string, kind: string, rest: string) => {
    if (kind === '?') assert.ok(secrets[name], `${name} is not in .env`)
    return secrets[name] ?? rest
  })
  return once === text ? text : resolveVariables(once, secrets)
}

test('the file for everything says what the topology says', () => {
  const isSame = read('halles.yaml') === composeFile()
  assert.ok(isSame, 'deploy/compose/halles.yaml is stale: node stack/src/compose.ts')
  for (const { name, entry } of parts) {
    assert.ok(serviceIn(read('halles.yaml'), name).includes(entry))
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
    const environment = environmentIn(serviceIn(read('halles.yaml'), name), secrets)
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
  const server = environmentIn(serviceIn(text, 'postgres'), secrets)
  for (const { name, database } of parts) {
    if (database === undefined) continue
    assert.ok(server.DATABASES?.split(' ').includes(`${database}:${name}`), name)
    const { DATABASE_URL } = environmentIn(serviceIn(text, name), secrets)
    const password = server[`PASSWORD_${name.toUpperCase()}`]
    assert.equal(DATABASE_URL, `postgres://${name}:${password}@postgres:5432/${database}`)
  }
})

test('images are pinned, brokers stay on loopback, are bounded and say whether they are well', () => {
  const text = read('brokers.yaml')
  for (const name of ['rabbitmq', 'kafka', 'redis']) {
    const service = serviceIn(text, name)
    assert.match(service, /image: [\w/]+:\d+\.\d+\.\d+/)
    assert.match(service, /ports:\n {6}- 127\.0\.0\.1:/)
    for (const key of ['healthcheck:', 'mem_limit:', 'cpus:']) assert.ok(service.includes(key), key)
  }
})
