import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { eventually } from '@halles/kit/testing'
import { askControl, controlPath, listenForControl } from '../src/control.ts'
import { writeJson } from '../src/files.ts'
import { createLogs } from '../src/logs.ts'
import { isAlive, signalProcess } from '../src/processes.ts'
import {
  createNodeProcess,
  createSupervisor,
  readProcesses,
  stopLeftovers,
} from '../src/supervisor.ts'

const folder = mkdtempSync(join(tmpdir(), 'halles-supervisor-'))
const errors: string[] = []
const logs = createLogs({
  folder: join(folder, 'logs'),
  maxBytes: 2_000,
  checkMs: 20,
  onError: (part, message) => errors.push(`${part}: ${message}`),
})
const supervisors: { stop(): Promise<void> }[] = []
after(async () => {
  for (const supervisor of supervisors) await supervisor.stop()
  logs.close()
  rmSync(folder, { recursive: true })
})

type Fixture = { part: string; mode?: string; stage?: number; stopTimeoutMs?: number }

function supervise(...fixtures: Fixture[]) {
  const problems: string[] = []
  const supervisor = createSupervisor({
    dataFolder: folder,
    url: 'http://localhost:0',
    onProblem: (text) => problems.push(text),
  })
  supervisors.push(supervisor)
  const reasons: string[] = []
  for (const { part, mode = '', stage = 1, stopTimeoutMs = 5_000 } of fixtures) {
    const instance = `${part}-1`
    const kept = createNodeProcess({
      name: instance,
      part,
      script: join(import.meta.dirname, 'fixtures/part.ts'),
      cwd: folder,
      env: { INSTANCE_ID: instance, FIXTURE_MODE: mode, FIXTURE_FILE: join(folder, part) },
      logs,
      bounds: { stopTimeoutMs, backoff: { firstMs: 10, maxMs: 40, stableMs: 60_000 } },
      onChange({ reason }) {
        if (reason !== undefined) reasons.push(reason)
        supervisor.record()
      },
    })
    supervisor.add({ part, instance, ports: { http: 1 }, stage, process: kept })
  }
  const entry = (part: string) => supervisor.status().find((each) => each.part === part)
  return { supervisor, reasons, problems, entry }
}

test('a part that crashes while starting is started again', async () => {
  const { supervisor, reasons, entry } = supervise({ part: 'fragile', mode: 'crash-once' })
  await supervisor.start()
  assert.equal(entry('fragile')?.state, 'ready')
  assert.deepEqual(reasons, ['fragile-1 ended: exit code 3'])
  await supervisor.stop()
})

test('a part that is killed comes back, and the list of processes says so', async () => {
  const { supervisor, entry } = supervise({ part: 'killed' })
  await supervisor.start()
  const before = entry('killed')?.pid
  assert.ok(before)
  signalProcess(before, 'SIGKILL')
  await eventually(() => {
    const listed = readProcesses(folder)?.processes[0]
    assert.notEqual(listed?.pid, before)
    assert.equal(listed?.state, 'ready')
    assert.equal(listed?.restarts, 1)
  })
  assert.equal(statSync(join(folder, 'processes.json')).mode & 0o777, 0o600)
  await supervisor.stop()
})

test('a part that never becomes ready fails the start, and its error is reported', async () => {
  const { supervisor, entry } = supervise({ part: 'broken', mode: 'never-ready' })
  await assert.rejects(supervisor.start(), /broken-1 ended: exit code 1/)
  assert.equal(entry('broken')?.state, 'stopped')
  await eventually(() => errors.includes('broken: PORT is missing'))
})

test('parts drain in order: the edge first, what it needs afterwards', async () => {
  const { supervisor } = supervise({ part: 'edge', stage: 3 }, { part: 'shop', stage: 1 })
  await supervisor.start()
  const pids = supervisor.status().map(({ pid }) => pid ?? 0)
  const stopped = supervisor.stop()
  await eventually(() => !isAlive(pids[0] ?? 0))
  await stopped
  assert.deepEqual(logs.tail('edge', 1), ['edge-1 ended by SIGTERM'])
  assert.deepEqual(logs.tail('shop', 1), ['shop-1 ended by SIGTERM'])
  assert.ok(statSync(logs.path('edge')).mtimeMs <= statSync(logs.path('shop')).mtimeMs)
})

test('a part that ignores the request to stop is killed', async () => {
  const { supervisor, entry } = supervise({ part: 'deaf', mode: 'deaf', stopTimeoutMs: 100 })
  await supervisor.start()
  const pid = entry('deaf')?.pid ?? 0
  await supervisor.stop()
  assert.equal(isAlive(pid), false)
})

test('tools stop and start one part through a socket that only its user may open', async () => {
  const { supervisor, entry } = supervise({ part: 'one' }, { part: 'other' })
  await supervisor.start()
  const control = await listenForControl(folder, (request) => supervisor.control(request))
  assert.equal(statSync(controlPath(folder)).mode & 0o777, 0o600)
  await askControl(folder, { command: 'stop', part: 'one' })
  assert.equal(entry('one')?.state, 'stopped')
  assert.equal(entry('other')?.state, 'ready')
  await askControl(folder, { command: 'start', part: 'one-1' })
  assert.equal(entry('one')?.state, 'ready')
  await assert.rejects(
    askControl(folder, { command: 'stop', part: 'none' }),
    /no part "none".*one, other/,
  )
  control.close()
  await assert.rejects(askControl(folder, { command: 'status' }), /No stack runs/)
  await supervisor.stop()
})

test('what a dead stack left running is ended by the next start, strangers are not', async () => {
  const { supervisor, entry } = supervise({ part: 'left' })
  await supervisor.start()
  const pid = entry('left')?.pid ?? 0
  const elsewhere = join(folder, 'elsewhere')
  mkdirSync(elsewhere)
  const stranger = { ...entry('left'), pid: process.pid }
  writeJson(join(elsewhere, 'processes.json'), { pid: 1, url: '', processes: [stranger] })
  assert.equal(await stopLeftovers(elsewhere), 0)
  assert.equal(await stopLeftovers(folder), 1)
  await eventually(() => entry('left')?.pid !== pid)
  await supervisor.stop()
})

test('a log that grows past its bound is put aside and begun again', async () => {
  const { supervisor } = supervise({ part: 'chatty' })
  await supervisor.start()
  const { writeSync } = await import('node:fs')
  writeSync(logs.open('chatty'), `${'x'.repeat(99)}\n`.repeat(30))
  await eventually(() => statSync(`${logs.path('chatty')}.1`).size >= 3_000)
  await eventually(() => statSync(logs.path('chatty')).size < 2_000)
  await supervisor.stop()
  assert.deepEqual(logs.tail('chatty', 1), ['chatty-1 ended by SIGTERM'])
})
