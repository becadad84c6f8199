import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { AppError } from '../src/errors.ts'
import { createGrpcClient, type GrpcClient } from '../src/grpc-client.ts'
import { createGrpcServer, type GrpcCallInfo, grpcService } from '../src/grpc-server.ts'
import { fromGrpcStatus, toGrpcStatus } from '../src/grpc-status.ts'
import { createMetrics } from '../src/metrics.ts'
import { eventually, silentLogger } from '../src/testing.ts'
import { currentTrace, newTrace, remainingMs, runWithContext } from '../src/trace.ts'
import { jsonRpc } from './json-rpc.ts'

type Demo = {
  reserveStock: { request: { what: string }; reply: { said: string } }
  wait: { request: { what: string }; reply: { said: string } }
}

const definition = {
  ReserveStock: jsonRpc('/halles.demo.v1.Demo/ReserveStock', 'reserveStock'),
  Wait: jsonRpc('/halles.demo.v1.Demo/Wait', 'wait'),
}
const internalSecret = 'the secret between services'
const metrics = createMetrics({ service: 'demo' })
const conflict = new AppError('conflict', 'OUT_OF_STOCK', 'Only 2 are left.', {
  details: { left: 2 },
  errors: [{ pointer: '/lines/0', detail: 'zu viel für uns' }],
  retryAfterSeconds: 3,
})

const calls: { info: GrpcCallInfo; traceId: string | undefined; leftMs: number }[] = []
const closers: (() => unknown)[] = []
after(async () => {
  for (const close of closers.reverse()) await close()
})

function aServer(port = 0) {
  return createGrpcServer({
    host: '127.0.0.1',
    port,
    logger: silentLogger(),
    internalSecret,
    metrics,
    drainMs: 5_000,
    services: [
      grpcService<Demo>(definition, {
        async reserveStock({ what }, info) {
          calls.push({ info, traceId: currentTrace()?.traceId, leftMs: remainingMs(60_000) })
          if (what === 'conflict') throw conflict
          if (what === 'bug') throw new Error('the password is hunter2')
          return { said: `reserved ${what}` }
        },
        wait: ({ what }, { signal }) =>
          new Promise((_resolve, reject) => {
            signal.addEventListener('abort', () => {
              ended.push(what)
              reject(signal.reason)
            })
          }),
      }),
    ],
  })
}
const ended: string[] = []

function aClient(addresses: readonly string[], secret = internalSecret): GrpcClient<Demo> {
  const client = createGrpcClient<Demo>({
    definition,
    addresses,
    internalSecret: secret,
    defaultDeadlineMs: 5_000,
    name: 'demo',
    caller: 'orders',
    metrics,
  })
  closers.push(() => client.close())
  return client
}

const server = aServer()
await server.start()
closers.push(() => server.stop())
const address = `127.0.0.1:${server.port()}`
const client = aClient([address])

test('a call is answered, with caller, trace and deadline known on the other side', async () => {
  const trace = newTrace()
  const context = { trace, deadlineAtMs: performance.now() + 2_000 }
  const answer = await runWithContext(context, () => client.reserveStock({ what: 'tea' }))
  assert.deepEqual(answer, { said: 'reserved tea' })
  const call = calls.at(-1)
  assert.ok(call)
  assert.deepEqual([call.info.caller, call.traceId], ['orders', trace.traceId])
  assert.ok(call.leftMs > 0 && call.leftMs <= 2_000, `${call.leftMs}`)
  assert.ok(call.info.deadline)
})

test('an AppError arrives as it was thrown', async () => {
  await assert.rejects(client.reserveStock({ what: 'conflict' }), (error: unknown) => {
    assert.ok(error instanceof AppError)
    const { kind, code, message, details, errors, retryAfterSeconds } = error
    assert.deepEqual(
      { kind, code, message, details, errors, retryAfterSeconds },
      {
        kind: conflict.kind,
        code: conflict.code,
        message: conflict.message,
        details: conflict.details,
        errors: conflict.errors,
        retryAfterSeconds: 3,
      },
    )
    return true
  })
})

test('a bug arrives as an internal error that says nothing', async () => {
  await assert.rejects(client.reserveStock({ what: 'bug' }), (error: unknown) => {
    assert.ok(error instanceof AppError)
    assert.deepEqual([error.kind, error.code], ['internal', 'INTERNAL'])
    assert.ok(!error.message.includes('hunter2'))
    return true
  })
})

test('a caller without the secret is refused, which is a fault of ours and not of the user', async () => {
  const before = calls.length
  await assert.rejects(aClient([address], 'another').reserveStock({ what: 'tea' }), {
    kind: 'internal',
  })
  assert.equal(calls.length, before)
})

test('a call past its deadline fails as unavailable and is cancelled on the other side', async () => {
  await assert.rejects(client.wait({ what: 'deadline' }, { deadlineMs: 50 }), {
    kind: 'unavailable',
    code: 'UPSTREAM_UNAVAILABLE',
  })
  await eventually(() => ended.includes('deadline'))
})

test('a call that is no longer wanted is cancelled on the other side', async () => {
  const cancel = new AbortController()
  const call = client.wait({ what: 'cancelled' }, { signal: cancel.signal })
  const waiting = assert.rejects(call, /no longer wanted/)
  await client.reserveStock({ what: 'tea' })
  cancel.abort(new Error('no longer wanted'))
  await waiting
  await eventually(() => ended.includes('cancelled'))
})

test('no call is made when the request being served has no time left', async () => {
  const before = calls.length
  const context = { trace: newTrace(), deadlineAtMs: performance.now() - 1 }
  const call = runWithContext(context, () => client.reserveStock({ what: 'late' }))
  await assert.rejects(call, { code: 'UPSTREAM_UNAVAILABLE' })
  assert.equal(calls.length, before)
})

test('calls go on while one of two instances is down, and reach a new one when it is back', async () => {
  const first = aServer()
  const second = aServer()
  await Promise.all([first.start(), second.start()])
  closers.push(() => second.stop())
  const { 0: port } = [first.port()]
  const both = aClient([`127.0.0.1:${port}`, `127.0.0.1:${second.port()}`])
  await both.reserveStock({ what: 'both up' })
  await first.stop()
  for (let count = 0; count < 10; count += 1) await both.reserveStock({ what: 'one down' })
  await second.stop()
  await assert.rejects(both.reserveStock({ what: 'all down' }), { code: 'UPSTREAM_UNAVAILABLE' })
  const again = aServer(port)
  await again.start()
  closers.push(() => again.stop())
  const answer = await eventually(() => both.reserveStock({ what: 'back' }))
  assert.deepEqual(answer, { said: 'reserved back' })
})

test('health is told to whoever asks, and a server that starts is not called', async () => {
  const state = { isReady: false }
  const starting = createGrpcServer({
    ...{ host: '127.0.0.1', port: 0, logger: silentLogger(), internalSecret },
    isReady: () => state.isReady,
    services: [],
  })
  await starting.start()
  closers.push(() => starting.stop())
  const watching = createGrpcClient<Demo>({
    definition,
    addresses: [address, `127.0.0.1:${starting.port()}`],
    internalSecret,
    defaultDeadlineMs: 5_000,
    name: 'demo',
    probing: { intervalMs: 20 },
  })
  closers.push(() => watching.close())
  await watching.start()
  const states = () => watching.instances().map((instance) => instance.state)
  await eventually(() => states()[1] === 'unhealthy')
  for (let count = 0; count < 10; count += 1) await watching.reserveStock({ what: 'tea' })
  state.isReady = true
  await eventually(() => states()[1] === 'ready')
  await starting.drain()
  await eventually(() => states()[1] === 'draining')
  assert.equal(states()[0], 'ready')
})

test('a service definition without a handler is refused at once', () => {
  assert.throws(
    () =>
      createGrpcServer({
        host: '127.0.0.1',
        port: 0,
        logger: silentLogger(),
        internalSecret,
        services: [{ definition, handlers: {} }],
      }),
    /ReserveStock has no handler/,
  )
})

test('the status details are google.rpc.Status with google.rpc.ErrorInfo, byte for byte', () => {
  const sent = toGrpcStatus(new AppError('invalid', 'BAD', 'No.'))
  const [trailer] = sent.metadata.get('grpc-status-details-bin')
  const type = Buffer.from('type.googleapis.com/google.rpc.ErrorInfo')
  const entry = [0x1a, 0x0f, 0x0a, 4, ...Buffer.from('kind'), 0x12, 7, ...Buffer.from('invalid')]
  const info = [0x0a, 3, ...Buffer.from('BAD'), 0x12, 6, ...Buffer.from('halles'), ...entry]
  const any = [0x0a, type.length, ...type, 0x12, info.length, ...info]
  const expected = [0x08, 3, 0x12, 3, ...Buffer.from('No.'), 0x1a, any.length, ...any]
  assert.deepEqual(trailer, Buffer.from(expected))
})

test('details of strangers, cut or foreign, are ignored', () => {
  const { metadata, details } = toGrpcStatus(conflict)
  const [trailer] = metadata.get('grpc-status-details-bin')
  assert.ok(Buffer.isBuffer(trailer))
  for (let length = 0; length < trailer.length; length += 7) {
    const cut = metadata.clone()
    cut.set('grpc-status-details-bin', trailer.subarray(0, length))
    const error = fromGrpcStatus({ details, metadata: cut })
    assert.ok(error === undefined || error instanceof AppError)
  }
  assert.equal(fromGrpcStatus({ details }), undefined)
})

test('calls are measured on both sides', async () => {
  const text = await metrics.registry.metrics()
  for (const side of ['server', 'client']) {
    assert.match(text, new RegExp(`grpc_call_duration_seconds_count\\{[^}]*side="${side}"`))
  }
})
