import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { createShop } from '../../../tests/e2e/shop.ts'
import { type Server, startHaproxy, startNginx, startScript } from './servers.ts'

/** One way to the same two kilobytes. */
export type Way = {
  name: WayName
  title: string
  /** The process whose processor time is measured; its children count too. */
  pid: number
  port: number
  path: string
  headers: Readonly<Record<string, string>>
}

export const wayNames = [
  'direct',
  'constant',
  'gateway-cached',
  'gateway-uncached',
  'haproxy',
  'nginx',
  'nginx-cached',
] as const
export type WayName = (typeof wayNames)[number]

export type Ways = { ways: Way[]; missing: string[]; stop(): Promise<void> }

/** Starts everything that is measured, once. A program that is not installed is named instead. */
export async function openWays(wanted: readonly WayName[]): Promise<Ways> {
  const undo: (() => Promise<void>)[] = []
  const stop = async () => {
    for (const step of undo.splice(0).reverse()) await step()
  }
  const keep = async (starting: Promise<Server>) => {
    const server = await starting
    undo.push(server.stop)
    return server
  }
  const missing: string[] = []
  const ways: Way[] = []
  const plain = (name: WayName, title: string, { pid, port }: Server) => {
    ways.push({ name, title, pid, port, path: '/api/v1/products', headers: {} })
  }
  try {
    const upstream = await keep(startScript('upstream-server.ts'))
    plain('direct', 'the service alone (node:http)', upstream)
    const constant = await keep(startScript('../yardstick-server.ts'))
    plain('constant', 'constant answer of our HTTP server', constant)
    ways.push(...(await openGateway(upstream.port, undo)))
    for (const [name, title, start] of proxies(upstream.port)) {
      const program = findProgram(name.split('-')[0] ?? '')
      if (!program) missing.push(name)
      else if (wanted.includes(name)) plain(name, title, await keep(start(program)))
    }
  } catch (error) {
    await stop()
    throw error
  }
  const asked = ways.filter(({ name }) => wanted.includes(name))
  return { ways: asked.map(withConstantPath), missing, stop }
}

const withConstantPath = (way: Way) =>
  way.name === 'constant' ? { ...way, path: '/constant' } : way

function proxies(port: number): [WayName, string, (program: string) => Promise<Server>][] {
  return [
    ['haproxy', 'HAProxy alone', (program) => startHaproxy(program, port)],
    ['nginx', 'nginx, proxy', (program) => startNginx(program, port, { hasCache: false })],
    [
      'nginx-cached',
      'nginx, proxy_cache',
      (program) => startNginx(program, port, { hasCache: true }),
    ],
  ]
}

/**
 * The gateway of a real stack, whose products and payments are the service above. Every step of the
 * pipeline is on: limits (far away), the token of the administrator, a permission, trace, metrics.
 */
async function openGateway(upstreamPort: number, undo: (() => Promise<void>)[]): Promise<Way[]> {
  const upstream = `http://127.0.0.1:${upstreamPort}`
  const shop = createShop(
    {
      HALLES_GATEWAY_PRODUCTS_URLS: upstream,
      HALLES_GATEWAY_PAYMENTS_URLS: upstream,
      HALLES_GATEWAY_RATE_LIMIT_FACTOR: '10000',
      HALLES_AUTH_ACCESS_TOKEN_SECONDS: '3600',
      DEMO_CATALOGUE: 'false',
      LOG_LEVEL: 'warn',
    },
    ['--replicas', 'gateway=1'],
  )
  undo.push(() => shop.stack.stop())
  await shop.stack.start()
  const headers = { authorization: `Bearer ${await shop.admin()}`, accept: 'application/json' }
  const pid = shop.stack.processes('gateway')[0]?.pid
  if (pid === undefined) throw new Error('No gateway runs.')
  const port = Number(new URL(shop.stack.url).port)
  return [
    {
      name: 'gateway-cached',
      title: 'our gateway, cached',
      ...{ pid, port, headers },
      path: '/api/v1/products',
    },
    {
      name: 'gateway-uncached',
      title: 'our gateway, uncached',
      ...{ pid, port, headers },
      // A route that asks for a token and a permission.
      path: '/api/v1/payments/findings',
    },
  ]
}

function findProgram(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin']
  return folders.map((folder) => join(folder, name)).find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch (error) {
    if (error instanceof Error) return false
    throw error
  }
}
