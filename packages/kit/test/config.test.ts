import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import * as field from '../src/config.ts'

const schema = {
  databaseUrl: field.url('DATABASE_URL', { protocols: ['postgres:'] }),
  port: field.integer('PORT', { default: 8080, min: 1, max: 65_535 }),
  isVerbose: field.flag('VERBOSE', { default: false }),
  key: field.secret('KEY', { minLength: 8 }),
  peers: field.list('PEERS', { default: [] }),
  level: field.text('LEVEL', { default: 'info', oneOf: ['info', 'debug'] }),
  name: field.optional(field.text('NAME')),
}
const good = { DATABASE_URL: 'postgres://u:p@127.0.0.1/d', KEY: 'long enough' }

test('a configuration has typed values, defaults and cannot be changed', () => {
  const config = field.loadConfig(schema, { ...good, PORT: '99', VERBOSE: 'true', PEERS: 'a, b,' })
  assert.deepEqual(
    { ...config },
    {
      databaseUrl: good.DATABASE_URL,
      port: 99,
      isVerbose: true,
      key: 'long enough',
      peers: ['a', 'b'],
      level: 'info',
      name: undefined,
    },
  )
  assert.ok(Object.isFrozen(config))
})

test('all faults of a configuration are reported together by variable, without their values', () => {
  const env = { DATABASE_URL: 'mysql://u:p4ss@x/d', PORT: '8o80', VERBOSE: 'yes', LEVEL: 'loud' }
  assert.throws(
    () => field.loadConfig(schema, env),
    (error: unknown) => {
      assert.ok(error instanceof field.ConfigError)
      const variables = error.faults.map(({ variable }) => variable)
      assert.deepEqual(variables, ['DATABASE_URL', 'PORT', 'VERBOSE', 'KEY', 'LEVEL'])
      for (const value of Object.values(env)) assert.ok(!error.message.includes(value), value)
      return true
    },
  )
})

test('a secret is read from the file that NAME_FILE names', () => {
  const folder = mkdtempSync(join(tmpdir(), 'halles-config-'))
  try {
    const path = join(folder, 'key')
    writeFileSync(path, 'from a file\n')
    const { DATABASE_URL } = good
    assert.equal(field.loadConfig(schema, { DATABASE_URL, KEY_FILE: path }).key, 'from a file')
    assert.throws(() => field.loadConfig(schema, { ...good, KEY_FILE: path }), /KEY_FILE are both/)
    const missing = { DATABASE_URL, KEY_FILE: join(folder, 'none') }
    assert.throws(() => field.loadConfig(schema, missing), /KEY cannot be read from the file/)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('a secret comes from a plain file of bounded length alone', () => {
  const folder = mkdtempSync(join(tmpdir(), 'halles-config-'))
  const load = (path: string) =>
    field.loadConfig(schema, { DATABASE_URL: good.DATABASE_URL, KEY_FILE: path }).key
  try {
    const path = join(folder, 'key')
    writeFileSync(path, 'k'.repeat(65_536))
    assert.equal(load(path).length, 65_536)
    writeFileSync(path, 'k'.repeat(65_537))
    assert.throws(
      () => load(path),
      /KEY cannot be .* named by KEY_FILE, which is longer than 65536/,
    )
    assert.throws(() => load(folder), /KEY cannot be .* which is no plain file/)
    assert.throws(() => load('/dev/zero'), /KEY cannot be .* which is no plain file/)
    writeFileSync(path, ' \n')
    assert.throws(() => load(path), /KEY is missing/)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('an empty variable counts as missing', () => {
  assert.throws(() => field.loadConfig(schema, { ...good, KEY: '' }), /KEY is missing/)
})

test('auth is found by its addresses, with or without the path of its key set', () => {
  const { jwksUrls } = field.serviceConfig
  const text =
    'http://auth:8080/.well-known/jwks.json, dns+http://auth:8080,file:///run/halles/auth.json'
  assert.deepEqual(jwksUrls.parse(text), [
    'http://auth:8080',
    'dns+http://auth:8080',
    'file:///run/halles/auth.json',
  ])
  assert.throws(() => jwksUrls.parse('http://auth:8080/keys'), /must list addresses like/)
})

test('telemetry is configured by the variables of OpenTelemetry', () => {
  const { otlpHeaders, resourceAttributes, traceRatio } = field.serviceConfig
  const schema = { otlpHeaders, resourceAttributes, traceRatio }
  assert.deepEqual(field.loadConfig(schema, {}), {
    otlpHeaders: {},
    resourceAttributes: {},
    traceRatio: 1,
  })
  const env = {
    OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Basic%20eDp5PQ==',
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=shop%2C%20Lyon, service.version = 1.2',
    OTEL_TRACES_SAMPLER_ARG: '0.25',
  }
  assert.deepEqual(field.loadConfig(schema, env), {
    otlpHeaders: { authorization: 'Basic eDp5PQ==' },
    resourceAttributes: {
      'deployment.environment.name': 'shop, Lyon',
      'service.version': '1.2',
    },
    traceRatio: 0.25,
  })
  for (const [variable, value] of [
    ['OTEL_TRACES_SAMPLER_ARG', '1.5'],
    ['OTEL_RESOURCE_ATTRIBUTES', 'lonely'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'key=%zz'],
  ] as const) {
    assert.throws(
      () => field.loadConfig(schema, { [variable]: value }),
      (error: unknown) => {
        assert.ok(error instanceof field.ConfigError)
        assert.deepEqual(
          error.faults.map((fault) => fault.variable),
          [variable],
        )
        return !error.message.includes(value)
      },
    )
  }
})
