import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { after, before, test } from 'node:test'
import { Client, credentials, Metadata } from '@grpc/grpc-js'
import { descriptor, serviceName } from '@halles/contracts/gen/grpc/orders'
import { toServiceDefinition } from '@halles/contracts/grpc'
import { createGrpcServer, type GrpcServerOptions, grpcService } from '@halles/kit/grpc-server'
import { silentLogger } from '@halles/kit/testing'
import { toolForTests } from '../../stack/src/tools/cached-tool.ts'
import { goTool } from '../../stack/src/tools/go-tool.ts'

const internalSecret = 'a-secret-between-services-for-tests'
const header = `authorization: Internal ${internalSecret}`
// Both tools start, ask once and end.
const toolLimitMs = 20_000
// Both are compiled, at their first use, within what this file may take.
const installLimitMs = 3 * 60_000

let isReady = true
const definition = toServiceDefinition(descriptor, serviceName)
const settlePayment = async () => ({ settlement: 'SETTLEMENT_DUPLICATE' })
const common: GrpcServerOptions = {
  host: '127.0.0.1',
  port: 0,
  logger: silentLogger(),
  internalSecret,
  isReady: () => isReady,
  services: [grpcService(definition, { settlePayment })],
}
const told = createGrpcServer({ ...common, hasReflection: true })
const silent = createGrpcServer(common)
before(() => Promise.all([told.start(), silent.start()]))
after(() => Promise.all([told.stop(), silent.stop()]))

type Ended = { code: number; out: string; err: string }

function run(path: string, args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(path, args, { timeout: toolLimitMs }, (error, out, err) => {
      resolve({ code: error ? Number(error.code) : 0, out, err })
    })
  })
}

const grpcurl = await toolForTests(
  goTool({
    name: 'grpcurl',
    module: 'github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.4',
    limitMs: installLimitMs,
  }),
)
const probe = await toolForTests(
  goTool({
    name: 'grpc-health-probe',
    module: 'github.com/grpc-ecosystem/grpc-health-probe@v0.4.61',
    limitMs: installLimitMs,
  }),
)

function withTool(tool: typeof grpcurl, title: string, body: (path: string) => Promise<void>) {
  const skip = 'skip' in tool ? tool.skip : false
  test(title, { skip }, () => body('path' in tool ? tool.path : ''))
}

const address = () => `127.0.0.1:${told.port()}`
const ask = (path: string, ...args: string[]) => run(path, ['-plaintext', '-H', header, ...args])

/** What a client without any .proto is told, as text: names stand in it as they are. */
function reflect(version: string, question: Buffer): Promise<string> {
  const client = new Client(address(), credentials.createInsecure())
  const metadata = new Metadata()
  metadata.set('authorization', `Internal ${internalSecret}`)
  const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`
  const bytes = (value: Buffer) => value
  const options = { deadline: Date.now() + toolLimitMs }
  const call = client.makeBidiStreamRequest(path, bytes, bytes, metadata, options)
  call.end(question)
  return new Promise<string>((resolve, reject) => {
    call.once('data', (answer: Buffer) => resolve(answer.toString('latin1')))
    call.once('error', reject)
  }).finally(() => client.close())
}

const field = (number: number, text: string) =>
  Buffer.from([(number << 3) | 2, text.length, ...Buffer.from(text)])

for (const version of ['v1', 'v1alpha']) {
  test(`reflection ${version} names the services and gives the files of a message`, async () => {
    assert.match(await reflect(version, field(7, '*')), /halles\.orders\.v1\.OrdersService/)
    const files = await reflect(version, field(4, 'halles.orders.v1.SettlePaymentRequest'))
    assert.match(files, /halles_orders_v1\.proto.*halles_payments_v1\.proto.*PaymentState/s)
    assert.match(await reflect(version, field(4, 'halles.orders.v1.Nothing')), /There is none/)
  })
}

withTool(grpcurl, 'grpcurl lists what a service serves', async (path) => {
  const { code, out, err } = await ask(path, address(), 'list')
  assert.equal(code, 0, err)
  assert.deepEqual(out.trim().split('\n'), [
    'grpc.health.v1.Health',
    'grpc.reflection.v1.ServerReflection',
    serviceName,
  ])
})

withTool(grpcurl, 'grpcurl describes rpcs, and messages of another package', async (path) => {
  const service = await ask(path, address(), 'describe', serviceName)
  assert.match(service.out, /rpc SettlePayment \( \.halles\.orders\.v1\.SettlePaymentRequest \)/)
  const request = await ask(path, address(), 'describe', 'halles.orders.v1.SettlePaymentRequest')
  assert.match(request.out, /\.halles\.payments\.v1\.PaymentState state = 3;/)
  const state = await ask(path, address(), 'describe', 'halles.payments.v1.PaymentState')
  assert.match(state.out, /message PaymentState/)
  const nothing = await ask(path, address(), 'describe', 'halles.orders.v1.Nothing')
  assert.notEqual(nothing.code, 0)
})

withTool(grpcurl, 'grpcurl calls an rpc from reflection alone', async (path) => {
  const body = JSON.stringify({ orderId: 'a', cause: 'return', state: { currency: 'EUR' } })
  const method = `${serviceName}/SettlePayment`
  const { code, out, err } = await ask(path, '-d', body, address(), method)
  assert.equal(code, 0, err)
  assert.deepEqual(JSON.parse(out), { settlement: 'SETTLEMENT_DUPLICATE' })
  const health = await ask(path, address(), 'grpc.health.v1.Health/Check')
  assert.deepEqual(JSON.parse(health.out), { status: 'SERVING' })
})

withTool(grpcurl, 'without the internal secret grpcurl is told nothing', async (path) => {
  const { code, out, err } = await run(path, ['-plaintext', address(), 'list'])
  assert.notEqual(code, 0)
  assert.equal(out, '')
  assert.match(err, /For services only/)
})

withTool(grpcurl, 'where reflection is off, nothing is told either', async (path) => {
  const { code, err } = await ask(path, `127.0.0.1:${silent.port()}`, 'list')
  assert.notEqual(code, 0)
  assert.match(err, /does not support the reflection API/)
})

withTool(probe, 'grpc_health_probe sees who is ready and who is not', async (path) => {
  const look = () => run(path, ['-addr', address()])
  const ready = await look()
  assert.equal(ready.code, 0, ready.err)
  assert.match(ready.err + ready.out, /status: SERVING/)
  isReady = false
  const unready = await look()
  isReady = true
  // Its own code for a server that answers but does not serve.
  assert.equal(unready.code, 4, unready.err)
})
