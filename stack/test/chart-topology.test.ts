import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { chartFolder } from '../src/deploy/chart.ts'
import { topologyFaults } from '../src/deploy/chart-check.ts'
import { chartServices } from '../src/deploy/chart-topology.ts'
import { platformKeys, platformSecrets } from '../src/deploy/platform-secrets.ts'
import { parts } from '../src/topology.ts'

const root = resolve(import.meta.dirname, '../..')

test('the chart knows what the topology and the contracts say', () => {
  assert.deepEqual(topologyFaults(chartFolder), [])
})

test('a chart whose topology has drifted is refused, and told how to catch up', () => {
  const folder = mkdtempSync(join(tmpdir(), 'halles-drifted-'))
  try {
    cpSync(chartFolder, folder, { recursive: true })
    const path = join(folder, 'files/topology.yaml')
    writeFileSync(path, readFileSync(path, 'utf8').replace('METRICS_PORT: "9100"', ''))
    const fault = 'files/topology.yaml is not what the topology says'
    assert.deepEqual(topologyFaults(folder), [`${fault}: run node stack/src/deploy/chart.ts`])
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('every part but the sandbox is a service of the chart, and has a place for its values', () => {
  const names = parts.map(({ name }) => name).filter((name) => name !== 'stripe-sandbox')
  const values = parse(readFileSync(join(chartFolder, 'values.yaml'), 'utf8')) as {
    services: object
  }
  assert.deepEqual(Object.keys(chartServices()).sort(), names.sort())
  assert.deepEqual(Object.keys(values.services).sort(), names.sort())
})

test('the groups whose lag KEDA asks for are those that the services join', () => {
  for (const [name, { follows }] of Object.entries(chartServices())) {
    if (!follows.some(({ kind }) => kind === 'topic')) continue
    const text = readFileSync(join(root, `services/${name}/src/consumers.ts`), 'utf8')
    const groups = [...text.matchAll(/\bgroup(?:: | = )'([\w-]+)'/g)].map(([, group]) => group)
    assert.deepEqual([...new Set(groups)], [name])
  }
})

test('no secret has a value in what the chart knows, and ours can all be made', () => {
  for (const { environment, secrets } of Object.values(chartServices())) {
    for (const name of Object.keys(secrets)) assert.equal(environment[name], undefined)
  }
  const made = Object.keys(platformSecrets())
  const given = platformKeys().filter((name) => !made.includes(name))
  assert.deepEqual(given, ['STRIPE_API_KEY', 'STRIPE_WEBHOOK_SECRET'])
})
