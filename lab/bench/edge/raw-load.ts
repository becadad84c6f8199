import { createConnection, type Socket } from 'node:net'
import type { Measured } from '../load.ts'

export type RawLoad = {
  port: number
  path: string
  headers: Readonly<Record<string, string>>
  connections: number
  seconds: number
}

// Nothing that is measured here takes longer; a server that hangs must not hang the run.
const answerLimitMs = 10_000
const headEnd = Buffer.from('\r\n\r\n')

/**
 * Asks for one address over and over, one request at a time on each connection. It writes and reads
 * bytes with as little work as will do, so that most of the machine is left to what is measured.
 */
export async function loadRaw(load: RawLoad): Promise<Measured> {
  const request = toRequest(load)
  const latenciesMs: number[] = []
  let failures = 0
  const startedAtMs = performance.now()
  const endsAtMs = startedAtMs + load.seconds * 1_000
  const onAnswer = (status: number, tookMs: number) => {
    if (status === 200) latenciesMs.push(tookMs)
    else failures += 1
    return performance.now() < endsAtMs
  }
  const connect = async () => {
    while (performance.now() < endsAtMs) {
      const isDone = await ask(load.port, request, onAnswer)
      if (!isDone) failures += 1
    }
  }
  await Promise.all(Array.from({ length: load.connections }, connect))
  const tookSeconds = (performance.now() - startedAtMs) / 1_000
  const sorted = Float64Array.from(latenciesMs).sort()
  const at = (share: number) => sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN
  return {
    requests: sorted.length,
    perSecond: sorted.length / tookSeconds,
    p50: at(0.5),
    p99: at(0.99),
    failures,
  }
}

function toRequest({ port, path, headers }: RawLoad): Buffer {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.from(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${lines.join('')}\r\n`)
}

/** Uses one connection until `onAnswer` says no; false when it broke before. */
function ask(
  port: number,
  request: Buffer,
  onAnswer: (status: number, tookMs: number) => boolean,
): Promise<boolean> {
  return new Promise((resolve) => {
    const socket: Socket = createConnection({ host: '127.0.0.1', port, noDelay: true })
    let sentAtMs = 0
    let held: Buffer | undefined
    const send = () => {
      sentAtMs = performance.now()
      socket.write(request)
    }
    const end = (isDone: boolean) => {
      socket.destroy()
      resolve(isDone)
    }
    socket.setTimeout(answerLimitMs, () => end(false))
    socket.on('connect', send)
    socket.on('data', (chunk) => {
      held = held ? Buffer.concat([held, chunk]) : chunk
      const answer = readAnswer(held)
      if (!answer) return
      held = undefined
      if (!onAnswer(answer.status, performance.now() - sentAtMs)) return end(true)
      if (answer.isLast) return end(true)
      send()
    })
    socket.on('error', () => end(false))
    socket.on('close', () => end(false))
  })
}

/** A whole answer, or undefined while some of it is missing. */
function readAnswer(bytes: Buffer): { status: number; isLast: boolean } | undefined {
  const end = bytes.indexOf(headEnd)
  if (end < 0) return undefined
  const head = bytes.toString('latin1', 0, end)
  const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1]
  if (length === undefined) throw new Error('Only answers with a length are measured here.')
  if (bytes.length < end + headEnd.length + Number(length)) return undefined
  return { status: Number(head.slice(9, 12)), isLast: /\r\nconnection: close/i.test(head) }
}
