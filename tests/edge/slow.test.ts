import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { eventually } from '@halles/kit/testing'
import { get, host, post } from './door-cases.ts'
import { type Edge, endlessCart, slowCart, stallMs, startOwnEdge } from './edge.ts'
import { converse, open, parseAnswers } from './raw.ts'

const maxPerAddress = 60
let edge: Edge
before(async () => {
  edge = await startOwnEdge({
    HEADERS_TIMEOUT_MS: '500',
    REQUEST_TIMEOUT_MS: '1000',
    KEEP_ALIVE_TIMEOUT_MS: '500',
    STALL_TIMEOUT_MS: String(stallMs),
    MAX_CONNECTIONS_PER_ADDRESS: String(maxPerAddress),
  })
})
after(() => edge.stop())

type Slow = { socket: Socket; received: () => string; isClosed: () => boolean }

async function openSlow(): Promise<Slow> {
  const socket = await open(edge.address)
  const received: Buffer[] = []
  let isClosed = false
  const close = () => {
    isClosed = true
  }
  socket
    .on('data', (chunk) => received.push(chunk))
    .on('end', close)
    .on('close', close)
  return {
    socket,
    received: () => Buffer.concat(received).toString('latin1'),
    isClosed: () => isClosed,
  }
}

/** Sends the head at once and then one byte of the drip at a time, and serves others meanwhile. */
async function drip(head: string, each: string): Promise<string> {
  const slow = await openSlow()
  slow.socket.write(head, 'latin1')
  const timer = setInterval(() => {
    if (slow.socket.writable) slow.socket.write(each)
  }, 20)
  try {
    await eventually(async () => {
      await assertServed()
      return slow.isClosed()
    })
  } finally {
    clearInterval(timer)
    slow.socket.destroy()
  }
  return slow.received()
}

async function assertServed(): Promise<void> {
  const { answers } = await converse(edge.address, {
    parts: [get('/api/v1/products')],
    expected: 1,
  })
  assert.equal(answers[0]?.status, 200, 'others are served')
}

function assertRefused(text: string, status: number): void {
  const { answers, rest } = parseAnswers(Buffer.from(text, 'latin1'))
  assert.deepEqual([answers.map((answer) => answer.status), rest], [[status], ''])
}

test('a head that drips is cut off while others are served', async () => {
  assertRefused(await drip('GET / HTTP/1.1\r\nX: ', 'a'), 408)
})

test('a body that drips is cut off before a service sees it', async () => {
  edge.takeSeen()
  assertRefused(await drip(post('', 'Content-Length: 60000\r\n'), 'a'), 408)
  assert.deepEqual(
    edge.takeSeen()?.filter(({ method }) => method === 'POST'),
    [],
  )
})

test('chunks that drip are cut off', async () => {
  assertRefused(await drip(post('', 'Transfer-Encoding: chunked\r\n'), '1\r\na\r\n'), 408)
})

test('the rest of a body that nobody wants cannot hold the answer back for long', async () => {
  const head = post('', 'Content-Length: 60000\r\n', '/api/v1/customers/me/erasure')
  assertRefused(await drip(head, 'a'), 401)
})

test('a connection that never says anything is closed', async () => {
  const slow = await openSlow()
  await eventually(slow.isClosed)
})

test('a connection that is idle after its answer is closed', async () => {
  const slow = await openSlow()
  slow.socket.write(get('/api/v1/products'))
  await eventually(() => slow.received().includes('200 OK'))
  await eventually(slow.isClosed)
})

test('an answer that nobody takes is bounded in memory, and then given up', async () => {
  const slow = await openSlow()
  slow.socket.pause()
  slow.socket.write(get(endlessCart))
  await eventually(() => edge.endless().open === 1)
  await eventually(async () => {
    await assertServed()
    return edge.endless().open === 0
  })
  // What the sockets on the way hold in the kernel and in the two processes.
  assert.ok(edge.endless().bytes < 48 * 1024 * 1024, `${edge.endless().bytes} bytes were written`)
  slow.socket.destroy()
})

test('a client that takes its answer slowly, but does take it, is not cut off', async () => {
  const slow = await openSlow()
  slow.socket.pause()
  slow.socket.write(get(endlessCart))
  const { socket } = slow
  let reads = 0
  // One buffer at a time, for several times as long as a client may stall.
  await eventually(
    () => {
      socket.read()
      reads += 1
      return reads * 20 > 4 * stallMs
    },
    { intervalMs: 20 },
  )
  assert.ok(socket.bytesRead > 1024 * 1024)
  assert.equal(slow.isClosed(), false)
  socket.destroy()
  await eventually(() => edge.endless().open === 0)
})

test('a service that takes longer than a client may stall does not cost the client its answer', async () => {
  const { answers } = await converse(edge.address, { parts: [get(slowCart)], expected: 1 })
  assert.equal(answers[0]?.status, 200)
})

test('one address cannot take every connection, and gets room when it lets go', async () => {
  const idle: Slow[] = []
  for (let count = 0; count < maxPerAddress; count += 1) idle.push(await openSlow())
  const oneMore = await openSlow()
  await eventually(oneMore.isClosed)
  assert.equal(oneMore.received(), '', 'without an answer: each would be work')
  for (const { socket } of idle.slice(0, 5)) socket.destroy()
  await eventually(assertServed)
  await eventually(() => idle.every(({ isClosed }) => isClosed()))
  await assertServed()
})

test('requests whose answers nobody reads are no longer taken on, and then given up', async () => {
  const slow = await openSlow()
  slow.socket.pause()
  const usedBefore = process.memoryUsage().rss
  // Some 800 MB of answers, if they were made.
  slow.socket.write(`GET /docs HTTP/1.1\r\n${host}\r\n`.repeat(5_000))
  await eventually(async () => {
    await assertServed()
    // Whoever does not read learns of the end by writing.
    slow.socket.write('\r\n')
    return slow.socket.destroyed
  })
  const grownBytes = process.memoryUsage().rss - usedBefore
  assert.ok(grownBytes < 200 * 1024 * 1024, `${grownBytes} bytes were taken`)
})
