import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { test } from 'node:test'
import { dashboardFiles, dashboardsFolder } from '../../deploy/observability/dashboards.ts'
import { isRegistered, metricsIn, register, services } from '../../deploy/observability/register.ts'
import { commands } from '../../stack/src/cli/commands.ts'
import { parts } from '../../stack/src/topology.ts'
import { hurriedRules, readRules, root, rulesFile } from './alerts-files.ts'

const prometheus = process.env.HALLES_TEST_PROMETHEUS
const skip = prometheus === undefined && 'Prometheus is not installed.'
const promtool = join(dirname(prometheus ?? ''), 'promtool')
const rules = readRules()
const runbooks = resolve(root, 'docs/runbooks')
const readRunbook = (name: string) => readFileSync(resolve(runbooks, name), 'utf8')

test('the register knows every process of the topology that tells measurements', () => {
  const telling = parts.filter(({ listens }) => listens.includes('metrics'))
  assert.deepEqual(telling.map(({ name }) => name).sort(), [...services].sort())
})

test('measurements are named as Prometheus asks for', () => {
  for (const { name, type, unit, labels } of register) {
    assert.equal(name.endsWith('_total'), type === 'counter', name)
    if (unit !== undefined) assert.ok(name.endsWith(`_${unit}`), name)
    // Prometheus sets these by itself, or for the parts of a histogram.
    for (const taken of ['instance', 'job', 'le']) assert.ok(!labels.includes(taken), name)
  }
})

test('each alert says how bad it is, and has a page that says what to do', () => {
  for (const { alert, labels, annotations } of rules) {
    assert.match(labels.severity, /^(critical|warning|info)$/, alert)
    const name = alert.replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => `-${letter}`).toLowerCase()
    assert.equal(annotations.runbook_url, `docs/runbooks/${name}.md`)
    assert.ok(readRunbook(`${name}.md`).startsWith(`# ${alert}\n`), alert)
  }
  const pages = rules.map(({ annotations }) => annotations.runbook_url.split('/').at(-1))
  assert.deepEqual(readdirSync(runbooks).sort(), pages.sort())
})

test('the pages name commands, measurements and pages that there are', () => {
  for (const name of readdirSync(runbooks)) {
    const text = readRunbook(name)
    for (const [, words = ''] of text.matchAll(/`npm run halles -- ([^`]+)`/g)) {
      const isKnown = commands.some((each) => `${words} `.startsWith(`${each.name} `))
      assert.ok(isKnown, `${name}: there is no command ${words}.`)
    }
    for (const each of metricsIn(text)) assert.ok(isRegistered(each), `${name}: ${each}`)
    for (const [, page = ''] of text.matchAll(/\]\(([\w-]+\.md)\)/g)) {
      assert.ok(existsSync(resolve(runbooks, page)), `${name}: ${page}`)
    }
  }
})

test('alerts and dashboards ask for measurements that the register knows', () => {
  const asked = [
    ...rules.map(({ alert, expr }) => [alert, expr] as const),
    ...Object.entries(dashboardFiles()),
  ]
  for (const [name, text] of asked) {
    for (const each of metricsIn(text)) assert.ok(isRegistered(each), `${name}: ${each}`)
  }
  // A rule that names none would pass the loop above.
  for (const { alert, expr } of rules) {
    assert.ok(expr === 'up == 0' || metricsIn(expr).length > 0, alert)
  }
})

test('every measurement is on a dashboard', () => {
  const shown = new Set(Object.values(dashboardFiles()).flatMap(metricsIn))
  assert.deepEqual(
    register.filter(({ name }) => !shown.has(name)).map(({ name }) => name),
    [],
  )
})

test('the dashboards are what node deploy/observability/dashboards.ts writes', () => {
  const files = dashboardFiles()
  assert.deepEqual(readdirSync(dashboardsFolder).sort(), Object.keys(files).sort())
  for (const [name, text] of Object.entries(files)) {
    assert.equal(readFileSync(resolve(dashboardsFolder, name), 'utf8'), text, name)
  }
})

test('each alert fires when it should, and none in a healthy shop', { skip }, () => {
  execFileSync(promtool, ['check', 'rules', rulesFile], { timeout: 60_000 })
  const tests = resolve(root, 'deploy/observability/rules_test.yaml')
  execFileSync(promtool, ['test', 'rules', tests], { timeout: 60_000 })
  // The file of tests expects all of them, so a new one without a test is noticed here.
  const expected = [...readFileSync(tests, 'utf8').matchAll(/alertname="(\w+)"/g)]
  assert.deepEqual(expected.map(([, name]) => name).sort(), rules.map(({ alert }) => alert).sort())
})

test('the rules of somebody in a hurry wait for nothing longer than seconds', () => {
  const text = hurriedRules()
  assert.match(text, /for: 1s/)
  assert.match(text, /outbox_oldest_age_seconds\) > 2$/m)
  assert.doesNotMatch(text, /for: \d+[mh]|\[\d+[mh]\]/)
})
