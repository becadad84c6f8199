import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A request as a gateway saw it. */
export type Seen = { method: string; url: string; headers: IncomingMessage['headers'] }

export type Backend = {
  name: string
  port: number
  /** Everything but probes. */
  seen: Seen[]
  /** Whether it says that it is ready. */
  isReady: boolean
  /** Breaks every connection and listens no more. */
  die(): void
  stop(): Promise<void>
}

/** What stands in for a gateway; `serve` may leave a request without an answer. */
export async function startBackend(
  name: string,
  serve: (request: IncomingMessage, response: ServerResponse) => void = (_request, response) =>
    void response.end(name),
): Promise<Backend> {
  const server = createServer((request, response) => {
    const { method = '', url = '', headers } = request
    if (url === '/readyz') {
      response.statusCode = backend.isReady ? 200 : 503
      response.end()
      return
    }
    backend.seen.push({ method, url, headers })
    request.resume()
    serve(request, response)
  })
  // Longer than the balancer's, as a gateway's.
  server.keepAliveTimeout = 65_000
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const die = () => {
    server.close()
    server.closeAllConnections()
  }
  const backend: Backend = {
    name,
    port: (server.address() as AddressInfo).port,
    seen: [],
    isReady: true,
    die,
    async stop() {
      if (!server.listening) return
      const closed = once(server, 'close')
      die()
      await closed
    },
  }
  return backend
}

/** A gateway in a process of its own, to be killed. */
export async function forkBackend(name: string): Promise<{ port: number; child: ChildProcess }> {
  const child = fork(import.meta.filename, [name], { stdio: 'inherit' })
  const [port] = (await once(child, 'message')) as [number]
  return { port, child }
}

if (import.meta.main && process.send) {
  const backend = await startBackend(process.argv[2] ?? '')
  process.send(backend.port)
  process.once('disconnect', () => process.exit(0))
}
