import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export type StackAnswer = (request: Record<string, unknown>, socket: Socket) => object | undefined

/** A control socket as a local stack has one; what it answers is the test's. */
export async function startStackSocket() {
  const folder = mkdtempSync(join(tmpdir(), 'halles-control-'))
  const path = join(folder, 'control.sock')
  const seen: Record<string, unknown>[] = []
  const processes = ['gateway-1', 'gateway-2', 'products-1', 'postgres'].map((instance) => ({
    ...{
      part: instance.replace(/-\d+$/, ''),
      instance,
      state: 'ready',
      pid: 9,
      ports: { http: 1 },
    },
    ...{ restarts: 2, slowedByMs: 0, startMark: 'x' },
  }))
  let answer: StackAnswer = () => ({ result: processes })
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk.toString()
      if (!text.includes('\n')) return
      const request = JSON.parse(text) as Record<string, unknown>
      seen.push(request)
      const isStatus = request.command === 'status'
      const reply = isStatus ? { result: processes } : answer(request, socket)
      if (reply) socket.end(`${JSON.stringify({ progress: 'on it' })}\n${JSON.stringify(reply)}\n`)
    })
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  return {
    ...{ path, processes },
    /** The requests besides those for the status. */
    changes: () => seen.filter(({ command }) => command !== 'status'),
    behave(next: StackAnswer) {
      seen.length = 0
      answer = next
    },
    async stop() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
