import { connect, type Socket } from 'node:net'

/** One answer as it stood on the wire. */
export type RawAnswer = {
  readonly status: number
  /** By lower-case name; values of repeated headers joined by `, `. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export type Conversation = {
  readonly answers: readonly RawAnswer[]
  /** Whether the other side closed before we gave up listening. */
  readonly isClosed: boolean
  /** Bytes after the last whole answer; empty when the stream was well-formed. */
  readonly rest: string
}

export type Address = { readonly host: string; readonly port: number }

export type Say = {
  /** Written one after the other, each when the one before has left. */
  readonly parts: readonly (string | Buffer)[]
  /** Answers after which we stop listening although the socket is open. */
  readonly expected?: number
  /** How long to listen for more; for what must be closed, the time until we say that it was not. */
  readonly limitMs?: number
  /** Closes our side of the connection after the last part … */
  readonly isHalfClosed?: boolean
  /** … once the other side has said nothing for so long; at once without it. */
  readonly quietMs?: number
}

/** Latin-1 keeps every byte as one character, so that exact bytes can be written as text. */
export const bytes = (text: string): Buffer => Buffer.from(text, 'latin1')

/** Connects, and fails when that is refused. */
export function open({ host, port }: Address): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, allowHalfOpen: true })
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      // What the other side resets is read from `close`; tests judge by what was answered.
      socket.on('error', () => socket.destroy())
      resolve(socket)
    })
  })
}

/** Sends exact bytes over one connection and reads what comes back. */
export async function converse(address: Address, say: Say): Promise<Conversation> {
  const {
    parts,
    expected = Number.POSITIVE_INFINITY,
    limitMs = 5_000,
    isHalfClosed,
    quietMs = 0,
  } = say
  const socket = await open(address)
  const received: Buffer[] = []
  const done = Promise.withResolvers<boolean>()
  const timer = setTimeout(() => done.resolve(false), limitMs)
  socket.on('data', (chunk) => {
    received.push(chunk)
    const { answers, isOpenEnded } = parseAnswers(Buffer.concat(received))
    if (!isOpenEnded && answers.filter(({ status }) => status >= 200).length >= expected) {
      done.resolve(false)
    }
  })
  socket.once('end', () => done.resolve(true))
  socket.once('close', () => done.resolve(true))
  for (const part of parts) {
    if (socket.destroyed) break
    await write(socket, typeof part === 'string' ? bytes(part) : part)
  }
  if (isHalfClosed) await whenQuiet(socket, quietMs).then(() => socket.end())
  const isClosed = await done.promise
  clearTimeout(timer)
  socket.destroy()
  const { answers, rest } = parseAnswers(Buffer.concat(received), isClosed)
  return { answers, isClosed, rest }
}

function whenQuiet(socket: Socket, quietMs: number): Promise<void> {
  if (quietMs === 0 || socket.readableEnded) return Promise.resolve()
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, quietMs)
    socket.on('data', () => timer.refresh())
    socket.once('end', resolve).once('close', resolve)
  })
}

/** Resolves when the bytes have left, or cannot any more. */
function write(socket: Socket, part: Buffer): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  socket.once('close', () => resolve())
  socket.write(part, () => resolve())
  return promise
}

type Parsed = { answers: RawAnswer[]; rest: string; isOpenEnded: boolean }

/** Cuts a stream of answers by Content-Length and chunks; an answer without either ends the stream. */
export function parseAnswers(stream: Buffer, isWhole = false): Parsed {
  let text = stream.toString('latin1')
  const answers: RawAnswer[] = []
  for (;;) {
    const end = text.indexOf('\r\n\r\n')
    if (end < 0) return { answers, rest: text, isOpenEnded: false }
    const [statusLine = '', ...lines] = text.slice(0, end).split('\r\n')
    const status = Number(/^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(statusLine)?.[1])
    if (Number.isNaN(status)) return { answers, rest: text, isOpenEnded: false }
    const headers = toHeaders(lines)
    const after = text.slice(end + 4)
    const taken = takeBody(after, { status, headers, isWhole })
    if (!taken) return { answers, rest: text, isOpenEnded: true }
    answers.push({ status, headers, body: taken.body })
    text = taken.rest
  }
}

function toHeaders(lines: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const [name = '', ...value] = line.split(':')
    const key = name.toLowerCase()
    const text = value.join(':').trim()
    headers[key] = headers[key] === undefined ? text : `${headers[key]}, ${text}`
  }
  return headers
}

function takeBody(
  text: string,
  head: { status: number; headers: Record<string, string>; isWhole: boolean },
): { body: string; rest: string } | undefined {
  const { status, headers, isWhole } = head
  if (status < 200 || status === 204 || status === 304) return { body: '', rest: text }
  if (headers['transfer-encoding'] === 'chunked') return takeChunks(text)
  const length = headers['content-length']
  if (length === undefined) return isWhole ? { body: text, rest: '' } : undefined
  if (text.length < Number(length)) return undefined
  return { body: text.slice(0, Number(length)), rest: text.slice(Number(length)) }
}

function takeChunks(text: string): { body: string; rest: string } | undefined {
  let body = ''
  let left = text
  for (;;) {
    const end = left.indexOf('\r\n')
    const size = Number.parseInt(left.slice(0, Math.max(0, end)), 16)
    if (end < 0 || Number.isNaN(size) || left.length < end + 2 + size + 2) return undefined
    body += left.slice(end + 2, end + 2 + size)
    left = left.slice(end + 2 + size + 2)
    if (size === 0) return { body, rest: left }
  }
}
