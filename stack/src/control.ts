import { createHash } from 'node:crypto'
import { chmodSync, rmSync } from 'node:fs'
import { createConnection, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { AppError } from '@halles/kit/errors'
import { errorCode } from './files.ts'

/** What a running stack can be asked. `part` is a part (all its instances) or one instance. */
export type ControlRequest =
  | { command: 'status' }
  | { command: 'start' | 'stop' | 'kill' | 'freeze' | 'thaw'; part: string }
  | { command: 'slow'; part: string; byMs: number }
  | { command: 'restart'; parts: readonly string[] | 'all' }
  | { command: 'scale'; replicas: Readonly<Record<string, number>> }

type ControlReply =
  | { progress: string }
  | { result: unknown }
  | { refused: { code: string; message: string } }

/** Resolves with the result; `say` tells who asked how far it is. */
export type Answer = (request: ControlRequest, say: (progress: string) => void) => Promise<unknown>

// The kernel cuts longer addresses of Unix sockets off.
const maxSocketPath = 100
// Between two words of a long answer: Kafka's stop and start into their bounds take 25 s and 90 s.
const replyTimeoutMs = 180_000
const maxRequestBytes = 4_096

/** Most instances of one part; the machine's cores end sooner. */
export const maxReplicas = 16
/** The longest delay that `slow` sets; every deadline of ours is shorter. */
export const maxSlowMs = 60_000

/** Where the stack of a data folder listens for commands. */
export function controlPath(dataFolder: string): string {
  return shortSocketPath(join(resolve(dataFolder), 'control.sock'))
}

/** The path, or one that stands for it where it is too long for a Unix socket. */
export function shortSocketPath(path: string, maxBytes = maxSocketPath): string {
  if (Buffer.byteLength(path) <= maxBytes) return path
  const hash = createHash('sha256').update(path).digest('hex').slice(0, 24)
  return join(tmpdir(), `halles-${hash}.sock`)
}

/** Listens for commands, a line of JSON each; the last line of an answer is its result. Only this user may connect. */
export async function listenForControl(
  dataFolder: string,
  answer: Answer,
): Promise<{ close(): void }> {
  const path = controlPath(dataFolder)
  // The lock on the folder is ours, so an existing socket is a leftover.
  rmSync(path, { force: true })
  const server = createServer((socket) => serve(socket, answer))
  await listen(server, path)
  chmodSync(path, 0o600)
  return {
    close() {
      server.close()
      rmSync(path, { force: true })
    },
  }
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const before = process.umask(0o177)
    server.once('error', reject)
    server.listen(path, resolve)
    process.umask(before)
    server.unref()
  })
}

function serve(socket: Socket, answer: Answer): void {
  let text = ''
  const reply = (content: ControlReply) => {
    // Whoever asked may be gone; what was asked for is done all the same.
    if (socket.writable) socket.write(`${JSON.stringify(content)}\n`)
  }
  socket.setTimeout(replyTimeoutMs, () => socket.destroy())
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk) => {
    text += chunk.toString()
    if (text.length > maxRequestBytes) return socket.destroy()
    if (!text.includes('\n')) return
    const line = text.slice(0, text.indexOf('\n'))
    text = ''
    toReply(line, (request) => answer(request, (progress) => reply({ progress }))).then((last) => {
      reply(last)
      socket.end()
    })
  })
}

async function toReply(
  line: string,
  answer: (request: ControlRequest) => Promise<unknown>,
): Promise<ControlReply> {
  try {
    return { result: await answer(parseRequest(line)) }
  } catch (error) {
    const code = error instanceof AppError ? error.code : 'FAILED'
    return { refused: { code, message: error instanceof Error ? error.message : String(error) } }
  }
}

const isName = (value: unknown): value is string => typeof value === 'string' && value !== ''
const isWithin = (value: unknown, least: number, most: number) =>
  Number.isInteger(value) && Number(value) >= least && Number(value) <= most

function parseRequest(line: string): ControlRequest {
  const request = JSON.parse(line) as Record<string, unknown> | null
  const { command, part, parts, byMs, replicas } = request ?? {}
  switch (command) {
    case 'status':
      return { command }
    case 'start':
    case 'stop':
    case 'kill':
    case 'freeze':
    case 'thaw':
      if (isName(part)) return { command, part }
      break
    case 'slow':
      if (isName(part) && isWithin(byMs, 0, maxSlowMs)) return { command, part, byMs: Number(byMs) }
      break
    case 'restart':
      if (parts === 'all') return { command, parts }
      if (Array.isArray(parts) && parts.every(isName)) return { command, parts }
      break
    case 'scale': {
      const counts = Object.entries(replicas ?? {})
      if (counts.length === 0 || !counts.every(([, each]) => isWithin(each, 1, maxReplicas))) break
      return { command, replicas: Object.fromEntries(counts) }
    }
  }
  throw new AppError('invalid', 'REQUEST_UNKNOWN', 'The stack does not understand this request.')
}

/** Asks the stack that runs on the data folder; throws when it refuses or when none runs. */
export function askControl(
  dataFolder: string,
  request: ControlRequest,
  onProgress: (text: string) => void = () => undefined,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(controlPath(dataFolder))
    const fail = (code: string, message: string) =>
      reject(new AppError('unavailable', code, message))
    socket.setTimeout(replyTimeoutMs, () => {
      fail('STACK_SILENT', 'The stack did not answer.')
      socket.destroy()
    })
    socket.on('connect', () => socket.write(`${JSON.stringify(request)}\n`))
    const lines = createInterface({ input: socket })
    // It passes on the errors of its input.
    lines.on('error', (error) => {
      const isAbsent = ['ENOENT', 'ECONNREFUSED'].includes(errorCode(error) ?? '')
      if (isAbsent) fail('STACK_NOT_RUNNING', `No stack runs on ${dataFolder}.`)
      else reject(error)
    })
    lines.on('line', (line) => {
      const reply = JSON.parse(line) as ControlReply
      if ('progress' in reply) onProgress(reply.progress)
      else if ('result' in reply) resolve(reply.result)
      else fail(reply.refused.code, reply.refused.message)
    })
    // A promise that has its answer takes no other.
    lines.on('close', () => fail('STACK_CLOSED', 'The stack closed the connection.'))
  })
}
