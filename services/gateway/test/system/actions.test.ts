import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import type { StackAction } from '@halles/contracts/gen/http/gateway'
import { AppError } from '@halles/kit/errors'
import { eventually, silentLogger } from '@halles/kit/testing'
import type { Audit } from '../../src/audit.ts'
import { createStackControl } from '../../src/stack-control.ts'
import { createPartActions } from '../../src/system/actions.ts'
import { startStackSocket } from './stack-socket.ts'

type Entry = Parameters<Audit['record']>[0]

describe('what an operator does to a local stack', () => {
  let stack: Awaited<ReturnType<typeof startStackSocket>>
  const audited: Entry[] = []
  let isAuditAway = false

  before(async () => {
    stack = await startStackSocket()
  })
  after(() => stack.stop())
  beforeEach(() => {
    audited.length = 0
    isAuditAway = false
    stack.behave(() => ({ result: stack.processes.slice(2, 3) }))
  })

  const audit: Audit = {
    async record(entry) {
      if (isAuditAway) throw new AppError('unavailable', 'AUDIT_UNAVAILABLE', 'Not now.')
      audited.push(entry)
    },
  }
  const actionsWith = (path: string | undefined) =>
    createPartActions({
      control: path === undefined ? undefined : createStackControl(path),
      ...{ audit, self: 'gateway-1', logger: silentLogger() },
    })
  const act = (name: string, action: StackAction) =>
    actionsWith(stack.path).act({ name, action, actorId: 'operator' })

  const orders: [StackAction, object][] = [
    [{ action: 'stop' }, { command: 'stop', part: 'products-1' }],
    [{ action: 'kill' }, { command: 'kill', part: 'products-1' }],
    [{ action: 'freeze' }, { command: 'freeze', part: 'products-1' }],
    [{ action: 'start' }, { command: 'start', part: 'products-1' }],
    [{ action: 'thaw' }, { command: 'thaw', part: 'products-1' }],
    [
      { action: 'slow', slowMs: 500 },
      { command: 'slow', part: 'products-1', byMs: 500 },
    ],
    [{ action: 'restart' }, { command: 'restart', parts: ['products-1'] }],
  ]
  for (const [action, asked] of orders) {
    test(`${action.action} is asked of the stack, and audited`, async () => {
      const { isDone, processes } = await act('products-1', action)
      assert.equal(isDone, true)
      assert.deepEqual(processes, [
        {
          ...{ part: 'products', instance: 'products-1', state: 'ready', pid: 9 },
          ...{ restarts: 2, slowedByMs: 0 },
        },
      ])
      assert.deepEqual(stack.changes(), [asked])
      await eventually(() => audited.length === 1)
      const details = action.slowMs === undefined ? {} : { slowMs: 500 }
      assert.deepEqual(audited, [
        {
          ...{ actorId: 'operator', action: `part-${action.action}` },
          ...{ target: 'part:products-1', details },
        },
      ])
    })
  }

  test('so many instances are asked for', async () => {
    const order = { part: 'products', replicas: 3, actorId: 'operator' }
    assert.equal((await actionsWith(stack.path).scale(order)).isDone, true)
    assert.deepEqual(stack.changes(), [{ command: 'scale', replicas: { products: 3 } }])
    assert.deepEqual(audited[0]?.details, { replicas: 3 })
  })

  for (const [name, action] of [
    ['postgres', 'stop'],
    ['gateway-1', 'kill'],
    ['gateway', 'restart'],
  ] as const) {
    test(`the answer is on its way before ${action} of ${name}, which it needs`, async () => {
      const change = await act(name, { action })
      assert.equal(change.isDone, false)
      assert.ok(change.processes.length > 0)
      assert.deepEqual(stack.changes(), [])
      assert.equal(audited.length, 1)
      await eventually(() => stack.changes().length === 1)
    })
  }

  test('nobody can shut the last door behind himself', async () => {
    for (const action of ['stop', 'freeze'] as const) {
      await assert.rejects(act('gateway', { action }), { code: 'DOOR_NEEDED', kind: 'conflict' })
    }
    assert.deepEqual([stack.changes(), audited], [[], []])
    assert.equal((await act('gateway-2', { action: 'stop' })).isDone, true)
  })

  test('what brings a part back does not wait for the audit log, but is recorded', async () => {
    isAuditAway = true
    await assert.rejects(act('products-1', { action: 'kill' }), { code: 'AUDIT_UNAVAILABLE' })
    await assert.rejects(act('products-1', { action: 'slow', slowMs: 9 }), {
      code: 'AUDIT_UNAVAILABLE',
    })
    assert.deepEqual(stack.changes(), [])
    assert.equal((await act('products-1', { action: 'thaw' })).isDone, true)
    assert.deepEqual(audited, [])
    isAuditAway = false
    await eventually(() => audited.length === 1, { limitMs: 10_000 })
  })

  test('a delay belongs to slow, and slow needs one', async () => {
    const errors = (error: AppError) => error.errors[0]?.pointer === '/body/slowMs'
    await assert.rejects(act('products', { action: 'slow' }), errors)
    await assert.rejects(act('products', { action: 'stop', slowMs: 5 }), errors)
  })

  for (const [code, kind] of [
    ['PART_BUSY', 'conflict'],
    ['NOT_SLOWABLE', 'conflict'],
    ['NOT_SCALABLE', 'not-found'],
    ['REQUEST_UNKNOWN', 'unprocessable'],
  ] as const) {
    test(`the stack's ${code} is passed on`, async () => {
      stack.behave(() => ({ refused: { code, message: 'It is busy.' } }))
      await assert.rejects(act('products-1', { action: 'kill' }), {
        ...{ code, kind, message: 'It is busy.' },
      })
    })
  }

  test('of other failures it is not said in public what they were', async () => {
    const message = 'at /home/odette/halles'
    stack.behave(() => ({ refused: { code: 'FAILED', message } }))
    await assert.rejects(act('products-1', { action: 'kill' }), (error: AppError) => {
      assert.deepEqual([error.code, error.kind], ['STACK_FAILED', 'unavailable'])
      return !error.message.includes('odette')
    })
  })

  test('a stack that is away, hangs up, or talks nonsense or without end is silent', async () => {
    const silent = { code: 'STACK_SILENT', kind: 'unavailable' }
    const away = actionsWith(`${stack.path}.none`)
    const order = { name: 'products-1', action: { action: 'kill' }, actorId: 'x' } as const
    await assert.rejects(away.act(order), silent)
    for (const text of ['', 'nonsense\n', 'null\n', '{}\n', 'x'.repeat(300_000)]) {
      stack.behave((_request, socket) => void socket.end(text))
      await assert.rejects(act('products-1', { action: 'kill' }), silent, text.slice(0, 20))
    }
  })

  test('parts that nobody knows, and stacks that are none, are not found', async () => {
    await assert.rejects(act('nobody', { action: 'kill' }), { code: 'PART_UNKNOWN' })
    const order = { name: 'products-1', action: { action: 'kill' }, actorId: 'x' } as const
    await assert.rejects(actionsWith(undefined).act(order), {
      ...{ code: 'NOT_A_LOCAL_STACK', kind: 'not-found' },
    })
    const scale = { part: 'products', replicas: 2, actorId: 'x' }
    await assert.rejects(actionsWith(undefined).scale(scale), { code: 'NOT_A_LOCAL_STACK' })
    assert.deepEqual(audited, [])
  })
})
