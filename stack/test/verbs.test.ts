import assert from 'node:assert/strict'
import { readFileSync, statSync } from 'node:fs'
import { test } from 'node:test'
import { eventually } from '@halles/kit/testing'
import type { Callers } from '../src/callers.ts'
import { askControl, type ControlRequest, controlPath, listenForControl } from '../src/control.ts'
import { discoveryFile } from '../src/discovery-files.ts'
import { readText } from '../src/files.ts'
import type { Fleet } from '../src/fleet.ts'
import { isAlive } from '../src/processes.ts'
import { createVerbs } from '../src/verbs.ts'
import { createWorkshop, type Fixture } from './workshop.ts'

const { folder, logs, supervise } = createWorkshop()

/** A stack in miniature: services that may be scaled, and a database that may not. */
async function open(...fixtures: Fixture[]) {
  const { supervisor, entry, member, reasons, known } = supervise(...fixtures)
  const replicable = fixtures.map(({ part }) => part).filter((part) => part !== 'postgres')
  const fleet: Fleet = {
    ...{ instances: [], members: [], replicable },
    canReplicate: (part) => replicable.includes(part),
    isFollowed: (part) => replicable.includes(part) && part !== 'gateway',
    async create(part, taken) {
      const fixture = fixtures.find((each) => each.part === part)
      assert.ok(fixture)
      let number = 1
      while (taken.includes(`${part}-${number}`)) number += 1
      return member(fixture, number)
    },
    checkRoom(wanted) {
      if (wanted > 6) throw new Error('There is no room.')
    },
  }
  await supervisor.start()
  const said: string[] = []
  const found: string[] = []
  const callers: Pick<Callers, 'untilFound'> = {
    async untilFound(members) {
      if (members.some(({ part }) => part === 'unheard')) throw new Error('Nobody has found it.')
      found.push(members.map(({ instance }) => instance).join())
    },
  }
  const control = await listenForControl(folder, createVerbs({ supervisor, fleet, callers }))
  const ask = (request: ControlRequest) => askControl(folder, request, (text) => said.push(text))
  const close = async () => {
    control.close()
    await supervisor.stop()
  }
  return { supervisor, entry, reasons, known, ask, said, found, close }
}

const listed = (part: string, kind: 'http' | 'grpc' = 'http') =>
  JSON.parse(readFileSync(discoveryFile(folder, part, kind), 'utf8')) as string[]

/** The state letter of a process: T when it stands still. */
const letterOf = (pid: number) => readText(`/proc/${pid}/stat`)?.replace(/^.*\) /s, '')[0]

test('tools stop and start one part through a socket that only its user may open', async () => {
  const { entry, ask, close } = await open({ part: 'one' }, { part: 'other' })
  assert.equal(statSync(controlPath(folder)).mode & 0o777, 0o600)
  await ask({ command: 'stop', part: 'one' })
  assert.equal(entry('one')?.state, 'stopped')
  assert.equal(entry('other')?.state, 'ready')
  await ask({ command: 'start', part: 'one-1' })
  assert.equal(entry('one')?.state, 'ready')
  await assert.rejects(ask({ command: 'stop', part: 'none' }), /no part "none".*one, other/)
  await close()
  await assert.rejects(ask({ command: 'status' }), { code: 'STACK_NOT_RUNNING' })
})

test('what is asked in a way that nobody understands is refused', async () => {
  const { ask, close } = await open({ part: 'one' })
  for (const request of [
    null,
    {},
    { command: 'explode' },
    { command: 'stop' },
    { command: 'stop', part: ['one'] },
    { command: 'slow', part: 'one', byMs: -1 },
    { command: 'slow', part: 'one', byMs: 60_001 },
    { command: 'scale', replicas: { one: 0 } },
    { command: 'scale', replicas: { one: 17 } },
    { command: 'scale', replicas: {} },
    { command: 'restart', parts: 'some' },
  ]) {
    await assert.rejects(ask(request as ControlRequest), { code: 'REQUEST_UNKNOWN' })
  }
  await close()
})

test('a frozen process stands still, is no crash, and goes on when it is thawed', async () => {
  const { entry, ask, reasons, close } = await open({ part: 'still' })
  const pid = entry('still')?.pid ?? 0
  await ask({ command: 'freeze', part: 'still' })
  assert.equal(entry('still')?.state, 'frozen')
  await eventually(() => assert.equal(letterOf(pid), 'T'))
  await ask({ command: 'thaw', part: 'still' })
  assert.equal(entry('still')?.state, 'ready')
  await eventually(() => assert.notEqual(letterOf(pid), 'T'))
  assert.deepEqual([entry('still')?.pid, entry('still')?.restarts], [pid, 0])
  assert.deepEqual(reasons, [])
  await close()
})

test('everything below a frozen process stands still with it', async () => {
  const { entry, ask, close } = await open({ part: 'family', mode: 'child' })
  const child = Number(logs.tail('family', 1)[0])
  assert.ok(isAlive(child))
  await ask({ command: 'freeze', part: 'family' })
  await eventually(() => assert.equal(letterOf(child), 'T'))
  // Its child is in another session, so nobody but us can wake it.
  await ask({ command: 'kill', part: 'family' })
  await eventually(() => assert.equal(isAlive(child), false))
  await eventually(() => assert.equal(entry('family')?.state, 'ready'))
  await close()
})

test('a frozen process that is stopped finishes what it does', async () => {
  const { entry, ask, close } = await open({ part: 'cold' })
  await ask({ command: 'freeze', part: 'cold' })
  await ask({ command: 'stop', part: 'cold' })
  assert.equal(entry('cold')?.state, 'stopped')
  assert.deepEqual(logs.tail('cold', 1), ['cold-1 ended by SIGTERM'])
  await assert.rejects(ask({ command: 'freeze', part: 'cold' }), { code: 'NOT_READY' })
  await close()
})

test('a killed process is gone when that is answered, and comes back', async () => {
  const { entry, ask, close } = await open({ part: 'hit' })
  const pid = entry('hit')?.pid ?? 0
  await ask({ command: 'kill', part: 'hit-1' })
  assert.equal(isAlive(pid), false)
  await eventually(() => {
    assert.equal(entry('hit')?.restarts, 1)
    assert.equal(entry('hit')?.state, 'ready')
  })
  await ask({ command: 'stop', part: 'hit' })
  await assert.rejects(ask({ command: 'kill', part: 'hit' }), { code: 'NOT_RUNNING' })
  await close()
})

test('more processes of a part are listed when they are ready, fewer are not listed before they end', async () => {
  const { supervisor, known, ask, said, close } = await open({ part: 'auth' }, { part: 'postgres' })
  const states = () => supervisor.find('auth').map(({ instance }) => instance)
  assert.deepEqual(listed('auth'), ['http://127.0.0.1:1'])
  await ask({ command: 'scale', replicas: { auth: 3 } })
  assert.deepEqual(states(), ['auth-1', 'auth-2', 'auth-3'])
  assert.deepEqual(
    listed('auth'),
    [1, 2, 3].map((port) => `http://127.0.0.1:${port}`),
  )
  await ask({ command: 'stop', part: 'auth-2' })
  assert.deepEqual(
    listed('auth'),
    [1, 3].map((port) => `http://127.0.0.1:${port}`),
  )
  // A balancer keeps who is away for a while, and finds out for itself when it is back.
  assert.deepEqual(known.get('auth'), ['auth-1', 'auth-2', 'auth-3'])
  await ask({ command: 'scale', replicas: { auth: 1 } })
  assert.deepEqual(states(), ['auth-1'])
  assert.deepEqual(known.get('auth'), ['auth-1'])
  assert.deepEqual(listed('auth'), ['http://127.0.0.1:1'])
  assert.deepEqual(said.slice(0, 2), ['auth-2 is ready', 'auth-3 is ready'])
  await assert.rejects(ask({ command: 'scale', replicas: { postgres: 2 } }), {
    code: 'NOT_SCALABLE',
  })
  await assert.rejects(ask({ command: 'scale', replicas: { auth: 7 } }), /no room/)
  await close()
})

test('a process that cannot start is not added', async () => {
  const { supervisor, ask, close } = await open({ part: 'shy', mode: 'only-first' })
  await assert.rejects(ask({ command: 'scale', replicas: { shy: 2 } }), /shy-2 ended/)
  assert.equal(supervisor.find('shy').length, 1)
  assert.deepEqual(listed('shy'), ['http://127.0.0.1:1'])
  await close()
})

test('the last process of a part that stops stays listed: callers see that it is down', async () => {
  const { ask, close } = await open({ part: 'lonely', ports: { http: 5, grpc: 6 } })
  await ask({ command: 'stop', part: 'lonely' })
  assert.deepEqual(listed('lonely'), ['http://127.0.0.1:5'])
  assert.deepEqual(listed('lonely', 'grpc'), ['127.0.0.1:6'])
  await close()
})

test('a rolling restart always leaves one that is listed and ready', async () => {
  const { supervisor, entry, ask, said, found, close } = await open(
    { part: 'a' },
    { part: 'b', stage: 2 },
  )
  await ask({ command: 'scale', replicas: { b: 2 } })
  said.length = 0
  const before = supervisor.status().map(({ pid }) => pid)
  const away: string[] = []
  const look = () => {
    for (const part of ['a', 'b']) {
      const ready = supervisor
        .status()
        .filter((each) => each.part === part && each.state === 'ready')
      const urls = ready.map(({ ports }) => `http://127.0.0.1:${ports.http}`)
      if (!listed(part).some((url) => urls.includes(url))) away.push(part)
    }
  }
  const watching = setInterval(look, 5)
  await ask({ command: 'restart', parts: 'all' })
  clearInterval(watching)
  assert.deepEqual(away, [])
  assert.deepEqual(said, [
    'a-2 is ready',
    'a-1 is ready again',
    'a-2 has drained and is gone',
    'b-1 is ready again',
    'b-2 is ready again',
  ])
  assert.deepEqual(found, ['a-2', 'a-1', 'b-2', 'b-1'])
  for (const pid of before) assert.equal(isAlive(pid ?? 0), false)
  assert.equal(entry('a-1')?.state, 'ready')
  await close()
})

test('a process is not stopped while callers have not found another one', async () => {
  const { entry, ask, close } = await open({ part: 'unheard' })
  const pid = entry('unheard')?.pid
  await assert.rejects(ask({ command: 'restart', parts: ['unheard'] }), /Nobody has found it/)
  assert.equal(entry('unheard-1')?.state, 'ready')
  assert.equal(entry('unheard-1')?.pid, pid)
  await close()
})

test('who changes a part that is being changed is told to wait', async () => {
  const { ask, close } = await open({ part: 'busy' }, { part: 'idle' })
  const first = ask({ command: 'restart', parts: ['busy'] })
  const again: ControlRequest = { command: 'scale', replicas: { busy: 2, idle: 2 } }
  await assert.rejects(ask(again), { code: 'PART_BUSY' })
  await assert.rejects(ask({ command: 'stop', part: 'busy-1' }), { code: 'PART_BUSY' })
  await ask({ command: 'stop', part: 'idle' })
  await first
  await ask({ command: 'scale', replicas: { busy: 2 } })
  await close()
})

test('callers of a slowed process are sent to another door, and back again', async () => {
  const fixture = { part: 'snail', ports: { http: 7, grpc: 8, metrics: 9 } }
  const { entry, ask, close } = await open(fixture, { part: 'gateway' })
  await ask({ command: 'slow', part: 'snail', byMs: 2_000 })
  const doors = [...listed('snail'), ...listed('snail', 'grpc')]
  assert.equal(new Set([...doors, 'http://127.0.0.1:7', '127.0.0.1:8']).size, 4)
  assert.equal(entry('snail')?.slowedByMs, 2_000)
  await ask({ command: 'slow', part: 'snail', byMs: 100 })
  assert.deepEqual([...listed('snail'), ...listed('snail', 'grpc')], doors)
  await ask({ command: 'slow', part: 'snail', byMs: 0 })
  assert.deepEqual(listed('snail'), ['http://127.0.0.1:7'])
  assert.equal(entry('snail')?.slowedByMs, 0)
  await assert.rejects(ask({ command: 'slow', part: 'gateway', byMs: 1 }), { code: 'NOT_SLOWABLE' })
  await close()
})
