import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createLifecycle } from '../src/lifecycle.ts'
import { silentLogger } from '../src/testing.ts'

function aLifecycle(drainMs = 5_000) {
  const lifecycle = createLifecycle({ logger: silentLogger(), drainMs })
  const steps: string[] = []
  const add = (name: string, faults: { start?: Error; stop?: Error } = {}) =>
    lifecycle.add({
      name,
      async start() {
        steps.push(`start ${name}`)
        if (faults.start) throw faults.start
      },
      async stop() {
        steps.push(`stop ${name} ${lifecycle.isReady()}`)
        if (faults.stop) throw faults.stop
      },
    })
  return { lifecycle, steps, add }
}

test('parts start in order and stop in reverse, after readiness is withdrawn', async () => {
  const { lifecycle, steps, add } = aLifecycle()
  add('database')
  add('http')
  assert.equal(lifecycle.isReady(), false)
  await lifecycle.start()
  assert.equal(lifecycle.isReady(), true)
  await Promise.all([lifecycle.stop(), lifecycle.stop()])
  assert.deepEqual(steps, [
    'start database',
    'start http',
    'stop http false',
    'stop database false',
  ])
})

test('when a part cannot start, those before it are stopped and the error is told', async () => {
  const { lifecycle, steps, add } = aLifecycle()
  add('database')
  add('http', { start: new Error('the port is in use') })
  add('relay')
  await assert.rejects(lifecycle.start(), /the port is in use/)
  assert.deepEqual(steps, [
    'start database',
    'start http',
    'stop http false',
    'stop database false',
  ])
  assert.equal(lifecycle.isReady(), false)
})

test('a part that fails to stop or hangs does not keep the others', async () => {
  const { lifecycle, steps, add } = aLifecycle(50)
  add('database')
  lifecycle.add({ name: 'hangs', stop: () => new Promise(() => undefined) })
  add('http', { stop: new Error('broken') })
  await lifecycle.start()
  await lifecycle.stop()
  assert.deepEqual(steps.slice(2), ['stop http false', 'stop database false'])
})

function run(mode: string) {
  const path = fileURLToPath(new URL('lifecycle-process.ts', import.meta.url))
  const child = spawn(process.execPath, [path, mode], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  const { stdout, stderr } = child
  assert.ok(stdout && stderr)
  // Not `close`, which is never emitted once the channel was disconnected from this side.
  const ended = Promise.all([once(child, 'exit'), text(stdout), text(stderr)])
  const end = async () => {
    const [[code], out, err] = await ended
    return { code, text: out + err }
  }
  return { child, end }
}

test('a service says when it is ready and drains on SIGTERM', async () => {
  const { child, end } = run('good')
  assert.deepEqual((await once(child, 'message'))[0], { type: 'ready' })
  child.kill('SIGTERM')
  assert.deepEqual(await end(), { code: 0, text: 'stopped\n' })
})

test('a service drains when its parent goes away', async () => {
  const { child, end } = run('good')
  await once(child, 'message')
  child.disconnect()
  assert.deepEqual(await end(), { code: 0, text: 'stopped\n' })
})

test('a faulty configuration is explained and ends the process', async () => {
  const { end } = run('misconfigured')
  assert.deepEqual(await end(), {
    code: 1,
    text: 'The configuration cannot be used:\n  DATABASE_URL is missing.\n',
  })
})

for (const mode of ['throws', 'rejects', 'fails']) {
  test(`an error that nobody caught is logged once and ends the process: ${mode}`, async () => {
    const { code, text } = await run(mode).end()
    assert.equal(code, 1)
    const lines = text.trim().split('\n')
    assert.equal(lines.length, 1, text)
    const entry = JSON.parse(lines[0] ?? '')
    assert.equal(entry.level, 'fatal')
    assert.match(entry.error, /a bug/)
  })
}
