import { get, host, post } from './door-cases.ts'
import { type Address, converse } from './raw.ts'

export type FuzzOptions = {
  readonly address: Address
  readonly runs: number
  readonly seed: number
  /** Conversations at once. */
  readonly width?: number
}

export type Fault = { readonly run: number; readonly what: string; readonly bytes: string }

export type FuzzResult = {
  readonly byStatus: Readonly<Record<string, number>>
  readonly faults: Fault[]
}

// How long a conversation may go without a word from the other side until we close our half; then
// it must be closed by the other side too.
const quietMs = 60
const closedWithinMs = 15_000
// More would say no more.
const maxFaults = 20

/** Random numbers that a seed repeats (mulberry32). */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/**
 * Says random things to an edge: requests put together from honest and dishonest parts, with bytes
 * changed, cut into pieces. No answer may be 5xx or half an answer, and none may be without an end.
 */
export async function fuzz({ address, runs, seed, width = 16 }: FuzzOptions): Promise<FuzzResult> {
  const byStatus: Record<string, number> = {}
  const faults: Fault[] = []
  let next = 0
  const work = async () => {
    for (let run = next++; run < runs && faults.length < maxFaults; run = next++) {
      // Each run by its own seed, so that one can be repeated without those before it.
      const random = createRandom(seed + run * 7_919)
      const parts = aConversation(random)
      const { answers, isClosed, rest } = await converse(address, {
        parts,
        isHalfClosed: true,
        quietMs,
        limitMs: closedWithinMs,
      })
      const text = parts.join('')
      const bytes = text.slice(0, 2_000)
      const tell = (what: string) => faults.push({ run, what, bytes })
      for (const { status } of answers) {
        byStatus[status] = (byStatus[status] ?? 0) + 1
        if (status >= 500) tell(`an answer of ${status}`)
      }
      if (!isClosed) tell('a connection that stays open')
      // The answer to a HEAD announces a body that does not come.
      if (rest !== '' && !text.includes('HEAD')) tell(`half an answer: ${rest.slice(0, 200)}`)
    }
  }
  await Promise.all(Array.from({ length: width }, work))
  return { byStatus, faults }
}

type Random = () => number

function pick<T>(random: Random, items: readonly [T, ...T[]]): T {
  return items[Math.floor(random() * items.length)] ?? items[0]
}

function aConversation(random: Random): string[] {
  const count = random() < 0.7 ? 1 : 1 + Math.floor(random() * 4)
  const text = Array.from({ length: count }, () => aRequest(random)).join('')
  const mutated = random() < 0.3 ? mutate(random, text) : text
  return cut(random, mutated)
}

function aRequest(random: Random): string {
  const kind = random()
  if (kind < 0.1) return get(aTarget(random))
  if (kind < 0.2) return post(aBody(random), 'Content-Type: application/json\r\n')
  const line = `${aMethod(random)}${blank(random)}${aTarget(random)}${blank(random)}${aVersion(random)}`
  const headers = Array.from({ length: Math.floor(random() * 6) }, () => aHeader(random))
  const end = anEnd(random)
  return `${line}${end}${random() < 0.9 ? host : ''}${headers.join('')}${end}${aBody(random)}`
}

/** The honest one in most cases: a request with three things wrong says no more than with one. */
function mostly(random: Random, honest: string, others: readonly [string, ...string[]]): string {
  return random() < 0.94 ? honest : pick(random, others)
}

const blank = (random: Random) => mostly(random, ' ', ['  ', '\t', ''])
const anEnd = (random: Random) => mostly(random, '\r\n', ['\n', '\r', '\r\r\n', ''])
const aVersion = (random: Random) =>
  mostly(random, 'HTTP/1.1', ['HTTP/1.0', 'HTTP/2.0', 'HTTP/0.9', 'HTTP/1.9', 'ICE/1.0', ''])
const aMethod = (random: Random) =>
  pick(random, [
    ...(['GET', 'GET', 'POST', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH'] as const),
    mostly(random, 'GET', ['TRACE', 'CONNECT', 'PRI', 'get', 'X']),
  ])

function aTarget(random: Random): string {
  const path = pick(random, [
    ...([
      '/',
      '/docs',
      '/openapi.json',
      '/healthz',
      '/api/v1/products',
      '/api/v1/products/tea',
    ] as const),
    ...['/api/v1/carts', '/api/v1/sessions', '/api/v1/carts/current', '/api/v1/webhooks/stripe'],
    ...[
      '/schemas/halles.products.price-changed.v1.json',
      '/api/v1/system',
      '*',
      'http://a/',
      '//',
      '/..',
    ],
    ...[
      '/api/v1/%2e%2e/x',
      '/api/v1/products%00',
      '/schemas/%ff.json',
      '/schemas/__proto__.json',
      '',
    ],
  ])
  const query = pick(random, [
    '',
    '',
    '',
    '?',
    '?q=tea',
    '?limit=0',
    '?limit=5&limit=6',
    '?__proto__=1',
    '?%',
    '?q=%ff',
    '#a',
  ])
  return path + query
}

function aHeader(random: Random): string {
  const name = pick(random, [
    ...([
      'Content-Length',
      'Transfer-Encoding',
      'Connection',
      'Host',
      'Expect',
      'Upgrade',
      'TE',
    ] as const),
    ...[
      'Content-Type',
      'Content-Encoding',
      'Authorization',
      'Accept',
      'Cookie',
      'Origin',
      'Trailer',
    ],
    ...[
      'Idempotency-Key',
      'If-Match',
      'If-None-Match',
      'Traceparent',
      'X-Request-Deadline-Ms',
      'Range',
    ],
    ...[
      'X-Forwarded-For',
      'X-Forwarded-Proto',
      'Access-Control-Request-Method',
      'Stripe-Signature',
      '__proto__',
    ],
  ])
  const value = pick(random, [
    ...([
      '0',
      '2',
      '5',
      '-1',
      '1e3',
      '99999999',
      'chunked',
      'chunked',
      'gzip, chunked',
      'close',
    ] as const),
    ...[
      'keep-alive',
      'upgrade',
      'h2c',
      'websocket',
      '100-continue',
      'application/json',
      'text/csv',
    ],
    ...[
      'Bearer x',
      'Bearer a.b.c',
      '*',
      '"x"',
      'W/"1", "2"',
      'a'.repeat(3_000),
      '\x00',
      '\xff\xfe',
      '',
      'null',
    ],
    ...[
      '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      'https://evil.example',
      '10.0.0.1',
      ';',
    ],
  ])
  return `${name}${mostly(random, ': ', [':', ' : ', ''])}${value}${anEnd(random)}`
}

function aBody(random: Random): string {
  return pick(random, [
    ...(['', '', '{}', '{"a":1}', 'null', '[', '"\xff"', '{"__proto__":{}}', '0\r\n\r\n'] as const),
    ...[
      '2\r\n{}\r\n0\r\n\r\n',
      '2\r\n{}\r\n',
      'ffffffff\r\n',
      '2;a=b\r\n{}\r\n0\r\nX: y\r\n\r\n',
      '-1\r\n',
    ],
    ...['['.repeat(30_000), '{"a":'.repeat(5_000), 'x'.repeat(100_000), get('/api/v1/products')],
  ])
}

/** Changes, drops, doubles or adds single bytes. */
function mutate(random: Random, text: string): string {
  const changes = 1 + Math.floor(random() * 6)
  let mutated = text
  for (let change = 0; change < changes; change += 1) {
    const at = Math.floor(random() * mutated.length)
    const byte = String.fromCharCode(Math.floor(random() * 256))
    const kept = Math.floor(random() * 2)
    const added = pick(random, [byte, '', mutated.slice(at, at + 20), '\r\n', '\0'])
    mutated = mutated.slice(0, at) + added + mutated.slice(at + kept)
  }
  return mutated
}

function cut(random: Random, text: string): string[] {
  const parts: string[] = []
  const pieces = random() < 0.6 ? 1 : 1 + Math.floor(random() * 5)
  let from = 0
  for (let piece = 1; piece < pieces; piece += 1) {
    const to = from + Math.floor(random() * (text.length - from))
    parts.push(text.slice(from, to))
    from = to
  }
  return [...parts, text.slice(from)]
}
