import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createTestDatabase } from '@halles/kit/testing'
import { createApp } from '../../services/gateway/src/app.ts'
import { loadGatewayConfig } from '../../services/gateway/src/config.ts'
import type { Address } from './raw.ts'

/** What reached a service. */
export type Seen = {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
}

export type Edge = {
  readonly address: Address
  /** What services were asked since the last look; undefined for an edge that runs elsewhere. */
  takeSeen(): readonly Seen[] | undefined
  /** Bytes of endless answers that services have written, and how many of them still run. */
  endless(): { bytes: number; open: number }
  stop(): Promise<void>
}

/** A cart whose answer does not end while somebody takes it. */
export const endlessCart = '/api/v1/carts/endless'
/** A cart whose answer comes after twice the time that a client may stall. */
export const slowCart = '/api/v1/carts/slow'
export const stallMs = 500

/**
 * The edge to test: the one at HALLES_TEST_EDGE_URL (a gateway, or a balancer before it), or else a
 * gateway in this process whose services answer 200 and remember what they were asked.
 */
export async function startEdge(settings: Record<string, string> = {}): Promise<Edge> {
  const given = process.env.HALLES_TEST_EDGE_URL
  if (given !== undefined) {
    const { hostname: host, port } = new URL(given)
    return {
      address: { host, port: Number(port || 80) },
      takeSeen: () => undefined,
      endless: () => ({ bytes: 0, open: 0 }),
      stop: async () => undefined,
    }
  }
  return startOwnEdge(settings)
}

/** A gateway in this process before services that answer everything. */
export async function startOwnEdge(settings: Record<string, string> = {}): Promise<Edge> {
  const broker = await createTestDatabase()
  const seen: Seen[] = []
  const endless = { bytes: 0, open: 0 }
  const service = createServer((request, response) => answer(request, response, { seen, endless }))
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve))
  const serviceUrl = `http://127.0.0.1:${(service.address() as AddressInfo).port}`
  const names = 'AUTH RBAC CUSTOMERS PRODUCTS WISHLISTS CARTS ORDERS PAYMENTS'.split(' ')
  const app = createApp(
    loadGatewayConfig({
      ...Object.fromEntries(names.map((name) => [`${name}_URLS`, serviceUrl])),
      PORT: '0',
      HOST: '127.0.0.1',
      LOG_LEVEL: 'silent',
      MESSAGES_URL: broker.url,
      INTERNAL_SECRET: 'x'.repeat(32),
      // Thousands of requests come from one address here.
      RATE_LIMIT_FACTOR: '0',
      ...settings,
    }),
  )
  await app.start()
  return {
    address: { host: '127.0.0.1', port: app.port() },
    takeSeen: () => seen.splice(0),
    endless: () => endless,
    async stop() {
      await app.stop()
      service.closeAllConnections()
      await new Promise((resolve) => service.close(resolve))
      await broker.drop()
    },
  }
}

type Notes = { seen: Seen[]; endless: { bytes: number; open: number } }

function answer(request: IncomingMessage, response: ServerResponse, notes: Notes): void {
  const { method = '', url = '', headers } = request
  const json = { 'content-type': 'application/json' }
  if (url === '/internal/v1/policy') {
    response.writeHead(200, json).end('{"roles":[]}')
    return
  }
  if (url === '/readyz') {
    response.writeHead(200, json).end('{"state":"ready"}')
    return
  }
  notes.seen.push({ method, url, headers })
  if (url === endlessCart) {
    writeWithoutEnd(response.writeHead(200, json), notes.endless)
    return
  }
  request.resume()
  request.once('end', () => {
    const end = () => response.writeHead(200, json).end('{"ok":true}')
    if (url === slowCart) setTimeout(end, 2 * stallMs)
    else end()
  })
}

const part = Buffer.alloc(64 * 1024, 'x')

function writeWithoutEnd(response: ServerResponse, endless: Notes['endless']): void {
  const more = () => {
    while (!response.destroyed) {
      endless.bytes += part.length
      if (!response.write(part)) return
    }
  }
  endless.open += 1
  response.on('drain', more).once('close', () => {
    endless.open -= 1
  })
  more()
}
