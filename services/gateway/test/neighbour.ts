import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export type Serve = (request: IncomingMessage, response: ServerResponse) => void

/** A service whose behaviour a test sets; it is ready, and keeps a policy without roles. */
export async function startNeighbour() {
  let serve: Serve = (_request, response) => response.writeHead(404).end()
  const seen: IncomingMessage[] = []
  const server = createServer((request, response) => {
    const known = own[request.url ?? '']
    if (known) {
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(known))
      return
    }
    seen.push(request)
    serve(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    behave(next: Serve) {
      seen.length = 0
      serve = next
    },
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const own: Readonly<Record<string, object>> = {
  '/internal/v1/policy': { roles: [] },
  '/readyz': { service: 'neighbour', id: 'neighbour-1', pid: 1, state: 'ready' },
}
