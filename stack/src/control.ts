import { createHash } from 'node:crypto'
import { chmodSync, rmSync } from 'node:fs'
import { createConnection, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { errorCode } from './files.ts'

/** What a running stack can be asked. `part` is a part (all its instances) or one instance. */
export type ControlRequest =
  | { command: 'status' }
  | { command: 'start' | 'stop' | 'restart'; part: string }

export type ControlReply = { ok: true; result: unknown } | { ok: false; message: string }

// The kernel cuts longer addresses of Unix sockets off.
const maxSocketPath = 100
// Room for a drain that runs into its bound.
const replyTimeoutMs = 60_000
const maxRequestBytes = 4_096

/** Where the stack of a data folder listens for commands. */
export function controlPath(dataFolder: string): string {
  const path = join(resolve(dataFolder), 'control.sock')
  if (Buffer.byteLength(path) <= maxSocketPath) return path
  const hash = createHash('sha256').update(path).digest('hex').slice(0, 24)
  return join(tmpdir(), `halles-${hash}.sock`)
}

/** Listens for commands: one line of JSON each, answered by one. Only this user may connect. */
export async function listenForControl(
  dataFolder: string,
  answer: (request: ControlRequest) => Promise<unknown>,
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

function serve(socket: Socket, answer: (request: ControlRequest) => Promise<unknown>): void {
  let text = ''
  socket.setTimeout(replyTimeoutMs, () => socket.destroy())
  // A client that went away needs no answer.
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk) => {
    text += chunk.toString()
    if (text.length > maxRequestBytes) return socket.destroy()
    if (!text.includes('\n')) return
    const line = text.slice(0, text.indexOf('\n'))
    text = ''
    toReply(line, answer).then((reply) => socket.end(`${JSON.stringify(reply)}\n`))
  })
}

async function toReply(
  line: string,
  answer: (request: ControlRequest) => Promise<unknown>,
): Promise<ControlReply> {
  try {
    return { ok: true, result: await answer(JSON.parse(line)) }
  } catch (error) {
    return { ok: false, message: error instanceof Error ? error.message : String(error) }
  }
}

/** Asks the stack that runs on the data folder; throws when it refuses or when none runs. */
export function askControl(dataFolder: string, request: ControlRequest): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(controlPath(dataFolder))
    let text = ''
    socket.setTimeout(replyTimeoutMs, () => socket.destroy(new Error('The stack did not answer.')))
    socket.on('connect', () => socket.write(`${JSON.stringify(request)}\n`))
    socket.on('data', (chunk) => {
      text += chunk.toString()
    })
    socket.on('error', (error) => {
      const isAbsent = ['ENOENT', 'ECONNREFUSED'].includes(errorCode(error) ?? '')
      reject(isAbsent ? new Error(`No stack runs on ${dataFolder}.`) : error)
    })
    socket.on('close', () => {
      if (!text.includes('\n')) return reject(new Error('The stack closed the connection.'))
      const reply = JSON.parse(text) as ControlReply
      if (reply.ok) resolve(reply.result)
      else reject(new Error(reply.message))
    })
  })
}
