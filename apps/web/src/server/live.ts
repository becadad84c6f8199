import type { ServerResponse } from 'node:http'
import { createAddressSource } from '@halles/kit/address-source'
import { AppError } from '@halles/kit/errors'
import { createInstancePool } from '@halles/kit/http-client'
import type { Logger } from '@halles/kit/logging'
import type { Pool } from 'undici'
import { toPath } from './api.ts'
import type { Visit } from './visit.ts'

export type Live = {
  /** Passes the events of the visitor's cart on until either side ends. */
  followCart(visit: Visit, clientAddress: string, response: ServerResponse): Promise<void>
  /** Passes pictures of the system on; the API refuses who may not see them. */
  followSystem(visit: Visit, clientAddress: string, response: ServerResponse): Promise<void>
  /** Streams that are open. */
  count(): number
  /** Ends every stream: browsers then connect again, to another replica. */
  close(): Promise<void>
}

// A person with more tabs than this sees changes at the next page instead.
const maxPerSession = 6
// Each costs a socket to the browser and one to a gateway.
const maxStreams = 1_000
// A gateway answers the head of a stream at once.
const headMs = 5_000
// Browsers ask again after this many milliseconds.
const retryMs = 2_000

const cartPath = '/api/v1/carts/{cartId}/events'
const systemPath = '/api/v1/system/events'

/** Server-sent events of the API, passed through with the visitor's own token. */
export function createLive(options: { addresses: readonly string[]; logger: Logger }): Live {
  const source = createAddressSource({ items: options.addresses, kind: 'http' })
  const pools = new Map<string, Pool>()
  const open = new Map<string, number>()
  const closing = new AbortController()
  let total = 0
  let next = 0

  /** Each stream at the next gateway; what is under way at one that has gone ends by itself. */
  async function choosePool(): Promise<Pool> {
    await source.start()
    const addresses = source.current()
    const address = addresses[next++ % addresses.length]
    if (address === undefined) {
      throw new AppError('unavailable', 'UPSTREAM_UNAVAILABLE', 'No gateway is known.')
    }
    for (const [known, pool] of pools) {
      if (addresses.includes(known)) continue
      pools.delete(known)
      void pool.close()
    }
    const pool = pools.get(address) ?? createInstancePool(address, { connections: maxStreams })
    pools.set(address, pool)
    return pool
  }

  function enter(key: string): boolean {
    const held = open.get(key) ?? 0
    if (held >= maxPerSession || total >= maxStreams) return false
    open.set(key, held + 1)
    total += 1
    return true
  }

  function leave(key: string): void {
    const held = (open.get(key) ?? 1) - 1
    total -= 1
    if (held > 0) open.set(key, held)
    else open.delete(key)
  }

  async function pass(
    visit: Visit,
    { path, clientAddress }: { path: string; clientAddress: string },
    response: ServerResponse,
  ): Promise<void> {
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    const signal = AbortSignal.any([gone.signal, closing.signal])
    const token = await visit.token()
    const pool = await choosePool()
    const answer = await pool.request({
      method: 'GET',
      path,
      headers: {
        accept: 'text/event-stream',
        'x-forwarded-for': clientAddress,
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      headersTimeout: headMs,
      // Heartbeats come every 15 s; without two of them the other side is gone.
      bodyTimeout: 40_000,
      signal,
    })
    if (answer.statusCode !== 200) {
      await answer.body.dump()
      response.writeHead(answer.statusCode === 503 ? 503 : 204, { 'cache-control': 'no-store' })
      response.end()
      return
    }
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    })
    response.write(`retry: ${retryMs}\n\n`)
    for await (const chunk of answer.body) {
      if (response.write(chunk)) continue
      await new Promise((resolve) => {
        response.once('drain', resolve)
        response.once('close', resolve)
      })
    }
    response.end()
  }

  async function follow(
    visit: Visit,
    { path, clientAddress }: { path: string | undefined; clientAddress: string },
    response: ServerResponse,
  ): Promise<void> {
    const key = visit.session?.idHash.toString('base64') ?? ''
    // 204 tells a browser not to ask again.
    if (path === undefined || !enter(key)) {
      response.writeHead(204, { 'cache-control': 'no-store' }).end()
      return
    }
    try {
      await pass(visit, { path, clientAddress }, response)
    } catch (error) {
      if (!response.destroyed && !closing.signal.aborted) {
        options.logger.warn({ error }, 'A stream of events ended.')
      }
      if (!response.headersSent) response.writeHead(503, { 'retry-after': '2' })
      response.end()
    } finally {
      leave(key)
    }
  }

  return {
    followCart(visit, clientAddress, response) {
      const cartId = visit.session?.cartId
      const path = cartId ? toPath(cartPath, { cartId }, undefined) : undefined
      return follow(visit, { path, clientAddress }, response)
    },
    followSystem(visit, clientAddress, response) {
      const path = visit.isSignedIn ? systemPath : undefined
      return follow(visit, { path, clientAddress }, response)
    },
    count: () => total,
    async close() {
      closing.abort()
      await source.stop()
      await Promise.all([...pools.values()].map((pool) => pool.destroy()))
    },
  }
}
