import assert from 'node:assert/strict'
import { mkdirSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { eventually } from '@halles/kit/testing'
import { writeJson } from '../src/files.ts'
import { isAlive, signalProcess } from '../src/processes.ts'
import { readProcesses, stopLeftovers } from '../src/supervisor.ts'
import { createWorkshop } from './workshop.ts'

const { folder, logs, errors, supervise } = createWorkshop()

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

test('who kills a part is not told of the dead process as if it were ready', async () => {
  const { supervisor, entry } = supervise({ part: 'crashed' })
  await supervisor.start()
  const before = entry('crashed')?.pid
  for (const member of supervisor.find('crashed')) await supervisor.crash(member)
  assert.notEqual(entry('crashed')?.pid, before)
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
  assert.deepEqual(logs.tail('edge', 1), ['edge-1 ended by disconnect'])
  assert.deepEqual(logs.tail('shop', 1), ['shop-1 ended by disconnect'])
  assert.ok(statSync(logs.path('edge')).mtimeMs <= statSync(logs.path('shop')).mtimeMs)
})

test('a part that ignores the request to stop is killed', async () => {
  const { supervisor, entry } = supervise({ part: 'deaf', mode: 'deaf', stopTimeoutMs: 100 })
  await supervisor.start()
  const pid = entry('deaf')?.pid ?? 0
  await supervisor.stop()
  assert.equal(isAlive(pid), false)
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
  writeSync(logs.open('chatty'), `${'x'.repeat(99)}\n`.repeat(30))
  await eventually(() => statSync(`${logs.path('chatty')}.1`).size >= 3_000)
  await eventually(() => statSync(logs.path('chatty')).size < 2_000)
  await supervisor.stop()
  assert.deepEqual(logs.tail('chatty', 1), ['chatty-1 ended by disconnect'])
})
