import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, test } from 'node:test'
import type { AddressSource } from '../src/address-source.ts'
import { createHttpClient, type HttpClientOptions } from '../src/http-client.ts'
import { createMetrics } from '../src/metrics.ts'
import { createRetryBudget } from '../src/resilience.ts'
import { eventually, freePort } from '../src/testing.ts'

const closers: (() => unknown)[] = []
after(async () => {
  for (const close of closers.reverse()) await close()
})

const probing = { intervalMs: 20, limitMs: 100 }

/** An instance that can be frozen: it accepts connections and says nothing, as after SIGSTOP. */
async function anInstance(name: string) {
  const held: (() => void)[] = []
  const state = { isFrozen: false, readiness: 'ready', served: 0, held }
  const serve = (request: IncomingMessage, answer: ServerResponse) => {
    if (state.isFrozen) return void held.push(() => serve(request, answer))
    if (request.url === '/readyz') {
      answer.writeHead(state.readiness === 'ready' ? 200 : 503)
      return answer.end(JSON.stringify({ state: state.readiness }))
    }
    state.served += 1
    if (request.url !== '/hold') return answer.end(name)
    held.push(() => answer.end(name))
  }
  const server = createServer(serve)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closers.push(async () => {
    server.closeAllConnections()
    server.close()
  })
  const release = () => {
    for (const go of held.splice(0)) go()
  }
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    state,
    freeze: () => {
      state.isFrozen = true
    },
    thaw() {
      state.isFrozen = false
      release()
    },
    release,
  }
}

function aClient(addresses: HttpClientOptions['addresses'], more: Partial<HttpClientOptions> = {}) {
  const client = createHttpClient({
    name: 'products',
    addresses,
    deadlineMs: 5_000,
    probing,
    ...more,
  })
  closers.push(() => client.close())
  const state = (address: string) =>
    client.instances().find((instance) => instance.address === address)?.state
  const read = async (path = '/') => (await client.request({ method: 'GET', path })).body
  return { client, read, state }
}

/** Addresses that a test changes. */
function movingSource(first: readonly string[]) {
  let listener: (addresses: readonly string[]) => void = () => assert.fail()
  let current = first
  const source: AddressSource = {
    current: () => current,
    isComplete: () => true,
    onChange: (next) => {
      listener = next
    },
    start: async () => undefined,
    stop: async () => undefined,
  }
  const move = (next: readonly string[]) => {
    current = next
    listener(next)
  }
  return { source, move }
}

const unavailable = { kind: 'unavailable', code: 'UPSTREAM_UNAVAILABLE', retryAfterSeconds: 2 }

test('a frozen instance leaves the choice without any traffic, and returns when it thaws', async () => {
  const [a, b] = await Promise.all([anInstance('a'), anInstance('b')])
  const { client, read, state } = aClient([a.address, b.address])
  await client.start()
  a.freeze()
  await eventually(() => state(a.address) === 'unhealthy')
  for (let count = 0; count < 20; count += 1) assert.equal(await read(), 'b')
  a.thaw()
  await eventually(() => state(a.address) === 'ready')
  await eventually(async () => (await read()) === 'a')
})

test('a request stuck at a frozen instance fails by its deadline', async () => {
  const frozen = await anInstance('frozen')
  const { client } = aClient([frozen.address])
  frozen.freeze()
  const stuck = client.request({ method: 'POST', path: '/', deadlineMs: 300 })
  await assert.rejects(stuck, unavailable)
})

test('with every instance frozen calls fail at once, those that wait too', async () => {
  const frozen = await anInstance('frozen')
  const { client, state } = aClient([frozen.address], { maxInFlight: 1, deadlineMs: 60_000 })
  await client.start()
  const cancel = new AbortController()
  const stuck = client.request({ method: 'GET', path: '/hold', signal: cancel.signal })
  await eventually(() => frozen.state.served === 1)
  const waiting = client.request({ method: 'GET', path: '/' })
  frozen.freeze()
  await assert.rejects(waiting, unavailable)
  assert.equal(state(frozen.address), 'unhealthy')
  await assert.rejects(client.request({ method: 'GET', path: '/' }), unavailable)
  cancel.abort(new Error('The client went away.'))
  await assert.rejects(stuck, /went away/)
  frozen.thaw()
  await eventually(() => client.request({ method: 'GET', path: '/' }))
})

test('an instance that starts is not asked before it is ready', async () => {
  const [a, b] = await Promise.all([anInstance('a'), anInstance('b')])
  a.state.readiness = 'starting'
  const { client, read, state } = aClient([a.address, b.address])
  await client.start()
  await eventually(() => state(a.address) === 'unhealthy')
  for (let count = 0; count < 20; count += 1) assert.equal(await read(), 'b')
  a.state.readiness = 'ready'
  await eventually(() => state(a.address) === 'ready')
})

test('a draining instance gets no new request and ends those it has', async () => {
  const [a, b] = await Promise.all([anInstance('a'), anInstance('b')])
  const { client, read, state } = aClient([a.address])
  const first = read('/hold')
  await eventually(() => a.state.served === 1)
  a.state.readiness = 'stopping'
  await eventually(() => state(a.address) === 'draining')
  a.release()
  assert.equal(await first, 'a')
  const both = aClient([a.address, b.address])
  await both.client.start()
  await eventually(() => both.state(a.address) === 'draining')
  for (let count = 0; count < 20; count += 1) assert.equal(await both.read(), 'b')
  assert.equal(await read(), 'a', 'rather than nobody')
  assert.equal(client.instances()[0]?.inFlight, 0)
})

test('calls go on without a failure while addresses change under load', async () => {
  const all = await Promise.all(['a', 'b', 'c', 'd'].map(anInstance))
  const addresses = all.map(({ address }) => address)
  const { source, move } = movingSource(addresses.slice(0, 2))
  const { client } = aClient(source)
  const stopping = new AbortController()
  const answers = new Set<unknown>()
  const load = Array.from({ length: 8 }, async () => {
    while (!stopping.signal.aborted) {
      answers.add((await client.request({ method: 'POST', path: '/' })).body)
    }
  })
  const turn = async (from: number, to: number) => {
    const before = all.map(({ state }) => state.served)
    move(addresses.slice(from, to))
    const isUsed = (index: number) => (all[index]?.state.served ?? 0) > (before[index] ?? 0) + 5
    for (let index = from; index < to; index += 1) await eventually(() => isUsed(index))
  }
  for (const [from, to] of [
    [1, 3],
    [2, 4],
    [0, 1],
    [0, 4],
  ] as const)
    await turn(from, to)
  stopping.abort()
  await Promise.all(load)
  assert.deepEqual([...answers].toSorted(), ['a', 'b', 'c', 'd'])
})

test('a removed instance ends what it has and is then let go', async () => {
  const [a, b] = await Promise.all([anInstance('a'), anInstance('b')])
  const { source, move } = movingSource([a.address])
  const { read, client } = aClient(source)
  const held = read('/hold')
  await eventually(() => a.state.served === 1)
  move([b.address])
  assert.equal(await read(), 'b')
  assert.deepEqual(
    client.instances().map(({ address }) => address),
    [b.address],
  )
  a.release()
  assert.equal(await held, 'a')
})

test('an instance that is full leaves its calls to another, and frees its place with its caller', async () => {
  const [a, b] = await Promise.all([anInstance('a'), anInstance('b')])
  const { client, read } = aClient([a.address, b.address], { connections: 1, maxWaiting: 1 })
  const cancel = new AbortController()
  const hold = () => client.request({ method: 'GET', path: '/hold', signal: cancel.signal })
  const held = [hold(), hold()]
  await eventually(() => a.state.served + b.state.served === 2)
  assert.deepEqual([a.state.served, b.state.served], [1, 1])
  const waiting = read()
  await assert.rejects(read(), { code: 'UPSTREAM_BUSY' })
  cancel.abort(new Error('The client went away.'))
  for (const each of held) await assert.rejects(each, /went away/)
  assert.match(String(await waiting), /^[ab]$/)
})

test('retries end with the deadline and with the budget', async () => {
  const dead = await Promise.all([freePort(), freePort()])
  const reset = createServer((request) => request.socket.destroy())
  let arrived = 0
  reset.on('request', () => {
    arrived += 1
  })
  reset.listen(0, '127.0.0.1')
  await once(reset, 'listening')
  closers.push(() => void reset.close())
  const broken = `http://127.0.0.1:${(reset.address() as AddressInfo).port}`
  const retryBudget = createRetryBudget({ ratio: 0, reserve: 1 })
  const metrics = createMetrics({ service: 'gateway' })
  const { client } = aClient([broken], { retryBudget, metrics, probing: undefined })
  await assert.rejects(client.request({ method: 'GET', path: '/' }), unavailable)
  assert.equal(arrived, 2)
  await assert.rejects(client.request({ method: 'POST', path: '/' }), unavailable)
  assert.equal(arrived, 3)
  const none = aClient(
    dead.map((port) => `http://127.0.0.1:${port}`),
    { retryBudget },
  )
  await assert.rejects(none.client.request({ method: 'POST', path: '/' }), unavailable)
  const text = await metrics.registry.metrics()
  assert.match(text, /upstream_retries_total\{upstream="products",reason="broken",.*\} 1/)
  assert.match(text, /upstream_instances\{upstream="products",state="ready",.*\} 1/)
})
