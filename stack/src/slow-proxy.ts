import { createConnection, createServer, type Socket } from 'node:net'

/** A door before an instance that is late: callers who come through it meet a slow service. */
export type SlowProxy = {
  readonly port: number
  /** Milliseconds by which what is sent from now on is late; 0 passes it on at once. */
  delay(ms: number): void
  /** Takes no new connection and waits for those that are open; after `limitMs` they are cut. */
  close(limitMs: number): Promise<void>
}

// Enough for any request of ours; a caller that sends more waits, as before a slow reader.
const maxQueuedBytes = 256 * 1024
// A probe every half second from each caller, and their pools, on a bad day.
const maxConnections = 2_000
const host = '127.0.0.1'

/**
 * Listens on a loopback port of its own and passes connections on to `targetPort`. Every chunk
 * towards the instance is late by the delay, in order; answers come back at once.
 */
export async function createSlowProxy(targetPort: number, delayMs: number): Promise<SlowProxy> {
  let lateMs = delayMs
  const open = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (caller) => {
    open.add(caller)
    caller.once('close', () => open.delete(caller))
    passOn(caller, targetPort, () => lateMs)
  })
  server.maxConnections = maxConnections
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, host, resolve)
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('No port was given.')

  return {
    port: address.port,
    delay(ms) {
      lateMs = ms
    },
    async close(limitMs) {
      const cut = setTimeout(() => {
        for (const caller of open) caller.resetAndDestroy()
      }, limitMs)
      await new Promise<void>((resolve) => server.close(() => resolve()))
      clearTimeout(cut)
    },
  }
}

function passOn(caller: Socket, targetPort: number, delayMs: () => number): void {
  const instance = createConnection({ host, port: targetPort, allowHalfOpen: true })
  const late = createLateQueue(delayMs)
  caller.setNoDelay(true)
  instance.setNoDelay(true)
  caller.on('data', (chunk) => {
    if (late.add(chunk.length, () => void instance.write(chunk)) > maxQueuedBytes) caller.pause()
  })
  late.onTaken = (queuedBytes) => {
    // The instance's own slowness counts too, or what it does not read would pile up here.
    if (queuedBytes + instance.writableLength <= maxQueuedBytes) caller.resume()
  }
  instance.on('drain', () => late.onTaken(late.bytes()))
  caller.on('end', () => late.add(0, () => instance.end()))
  instance.pipe(caller)

  // Whichever side is cut takes the other along, in the same way.
  for (const [one, other] of [
    [caller, instance],
    [instance, caller],
  ] as const) {
    one.on('error', () => other.resetAndDestroy())
    one.on('close', () => {
      late.clear()
      other.destroy()
    })
  }
}

type Late = { dueAtMs: number; bytes: number; act: () => void }

/** Does things in the order in which they came, each when its delay is over. */
function createLateQueue(delayMs: () => number) {
  let queue: Late[] = []
  let queuedBytes = 0
  let timer: NodeJS.Timeout | undefined

  const wait = (dueAtMs: number) => setTimeout(work, Math.max(0, dueAtMs - performance.now()))
  function work(): void {
    timer = undefined
    const now = performance.now()
    for (let next = queue[0]; next && next.dueAtMs <= now; next = queue[0]) {
      queue.shift()
      queuedBytes -= next.bytes
      next.act()
    }
    late.onTaken(queuedBytes)
    if (queue[0]) timer = wait(queue[0].dueAtMs)
  }

  const late = {
    onTaken: (_queuedBytes: number): void => undefined,
    bytes: () => queuedBytes,
    /** Returns how many bytes wait now. */
    add(size: number, act: () => void): number {
      // Never before what came earlier, when the delay has become shorter meanwhile.
      const dueAtMs = Math.max(queue.at(-1)?.dueAtMs ?? 0, performance.now() + delayMs())
      queue.push({ dueAtMs, bytes: size, act })
      queuedBytes += size
      timer ??= wait(dueAtMs)
      return queuedBytes
    },
    clear() {
      clearTimeout(timer)
      queue = []
      queuedBytes = 0
    },
  }
  return late
}
