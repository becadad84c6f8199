import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net'
import { after, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { eventually, freePort } from '@halles/kit/testing'
import { createSlowProxy } from '../src/slow-proxy.ts'

const cleanups: (() => void)[] = []
after(() => {
  for (const cleanup of cleanups) cleanup()
})

/** An instance that answers with what it is sent, or does what it is told with a connection. */
async function instance(serve: (socket: Socket) => void = (socket) => socket.pipe(socket)) {
  const server = createServer({ allowHalfOpen: true }, serve)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanups.push(() => server.close())
  return (server.address() as AddressInfo).port
}

async function slowed(port: number, byMs: number) {
  const proxy = await createSlowProxy(port, byMs)
  cleanups.push(() => void proxy.close(0))
  return proxy
}

function connect(port: number): Socket {
  const socket = createConnection({ host: '127.0.0.1', port, allowHalfOpen: true })
  cleanups.push(() => socket.destroy())
  return socket
}

/** However it ended. */
function closed(socket: Socket): Promise<void> {
  socket.on('error', () => undefined).resume()
  return new Promise((resolve) => socket.once('close', () => resolve()))
}

async function textOf(socket: Socket): Promise<string> {
  let text = ''
  for await (const chunk of socket) text += chunk
  return text
}

test('what is sent arrives late: what is sent after it, but not slowed, overtakes it', async () => {
  const arrived: string[] = []
  const port = await instance((socket) => {
    socket.on('data', (chunk) => arrived.push(String(chunk)))
    socket.pipe(socket)
  })
  const [late, prompt] = [await slowed(port, 60_000), await slowed(port, 0)]
  const first = connect(late.port)
  await once(first, 'connect')
  await new Promise((resolve) => first.write('first', resolve))
  for (const word of ['second', 'third', 'fourth']) {
    const other = connect(prompt.port)
    other.end(word)
    assert.equal(await textOf(other), word)
  }
  assert.deepEqual(arrived, ['second', 'third', 'fourth'])
})

test('what is late arrives whole and in order, and the answer comes back', async () => {
  const proxy = await slowed(await instance(), 100)
  const socket = connect(proxy.port)
  const words = Array.from({ length: 200 }, (_, index) => `word ${index} `)
  for (const word of words) {
    socket.write(word)
    // So that many chunks are on their way at once.
    await new Promise(setImmediate)
  }
  socket.end()
  assert.equal(await textOf(socket), words.join(''))
})

test('a delay that becomes shorter overtakes nothing, and none passes everything on', async () => {
  const proxy = await slowed(await instance(), 200)
  const socket = connect(proxy.port)
  await once(socket, 'connect')
  await new Promise((resolve) => socket.write('first ', resolve))
  // Turns of this process' loop, in which the proxy reads it.
  for (let turn = 0; turn < 10; turn += 1) await new Promise(setImmediate)
  proxy.delay(0)
  socket.end('second')
  assert.equal(await textOf(socket), 'first second')
})

test('what waits is bounded: a caller that sends too much is made to wait', async () => {
  const proxy = await slowed(await instance(), 60_000)
  const socket = connect(proxy.port)
  const chunk = Buffer.alloc(64 * 1024)
  let taken = 0
  const more = () => {
    if (taken < 64 * 1024 * 1024) socket.write(chunk, () => (taken += chunk.length))
  }
  for (let count = 0; count < 1_024; count += 1) more()
  let before = -1
  await eventually(async () => {
    // The kernel takes some megabytes besides; then nothing moves.
    const isStill = before === taken
    before = taken
    await delay(50)
    assert.ok(isStill && taken > 0)
  })
  assert.ok(taken < 32 * 1024 * 1024, `${taken} bytes were taken.`)
  socket.destroy()
})

test('whichever side is cut takes the other along', async () => {
  const sockets: Socket[] = []
  const proxy = await slowed(await instance((socket) => void sockets.push(socket)), 0)
  const first = connect(proxy.port)
  await eventually(() => sockets.length === 1)
  const served = sockets[0]
  assert.ok(served)
  const isOver = closed(served)
  first.resetAndDestroy()
  await isOver

  const second = connect(proxy.port)
  await eventually(() => sockets.length === 2)
  const isClosed = closed(second)
  sockets[1]?.resetAndDestroy()
  await isClosed
})

test('nobody behind it is as nobody at the port itself: the connection breaks', async () => {
  const proxy = await slowed(await freePort(), 10)
  const socket = connect(proxy.port)
  socket.on('error', () => undefined)
  await assert.rejects(textOf(socket), { code: 'ECONNRESET' })
})

test('a proxy that closes lets open connections finish, and cuts those that do not in time', async () => {
  const port = await instance()
  const patient = await slowed(port, 50)
  const socket = connect(patient.port)
  socket.end('last words')
  await once(socket, 'connect')
  const isClosed = patient.close(30_000)
  assert.equal(await textOf(socket), 'last words')
  await isClosed

  const strict = await slowed(port, 60_000)
  const stuck = connect(strict.port)
  const isCut = closed(stuck)
  await once(stuck, 'connect')
  await strict.close(20)
  await isCut
  await assert.rejects(once(connect(strict.port), 'connect'), { code: 'ECONNREFUSED' })
})
