import { setTimeout as delay } from 'node:timers/promises'
import { Agent, type Dispatcher, errors, request } from 'undici'

export type Call = {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Below `/api/v1`. */
  path: string
  body?: unknown
  /** The body as it is, in CSV. */
  csv?: string
  token?: string | undefined
  /** Sent as `Idempotency-Key`. */
  key?: string
}

/** The public API, asked again for as long as an answer may still come. */
export type Client = {
  /** @throws Refused. */
  ask<T>(call: Call): Promise<T>
  /** As `ask`, for an answer that nobody reads. */
  tell(call: Call): Promise<void>
  /** Posts a form to the provider's page. */
  postForm(url: string, fields: Record<string, string>): Promise<void>
  /** `retries` of them asked again for what was asked before. */
  counts(): { requests: number; retries: number }
  close(): Promise<void>
}

/** An answer that asking again does not change. */
export type Refused = Error & { status: number; code: string }

// Longer than the gateway waits for a service.
const answerLimitMs = 30_000
// A service that is restarted, or a provider's outage of some seconds, is waited for.
const giveUpMs = 90_000
const pauseMs = { first: 100, most: 3_000 }
const mayPass = new Set([429, 502, 503, 504])

/** Every step of the replay may be repeated: it carries a key, or it says how things shall be. */
export function createClient(url: string, connections: number): Client {
  const agent = new Agent({ connections })
  const counts = { requests: 0, retries: 0 }

  async function send(target: string, options: Omit<Dispatcher.RequestOptions, 'origin' | 'path'>) {
    const endsAtMs = performance.now() + giveUpMs
    for (let pause = pauseMs.first; ; pause = Math.min(pause * 2, pauseMs.most)) {
      counts.requests += 1
      const answer = await request(target, {
        ...options,
        dispatcher: agent,
        headersTimeout: answerLimitMs,
        bodyTimeout: answerLimitMs,
      }).catch(toConnectionError)
      const isOver = performance.now() > endsAtMs
      if (answer instanceof Error) {
        if (isOver) throw answer
      } else {
        if (answer.statusCode < 400) return answer
        const text = await answer.body.text()
        const refused = toRefused(`${options.method} ${target}`, answer.statusCode, text)
        if (isOver || !mayPass.has(answer.statusCode)) throw refused
        const askedSeconds = Number(answer.headers['retry-after'])
        if (askedSeconds > 0) pause = Math.max(pause, askedSeconds * 1_000)
      }
      counts.retries += 1
      await delay(pause)
    }
  }

  function sendCall({ method, path, body, csv, token, key }: Call) {
    const headers: Record<string, string> = {}
    if (token !== undefined) headers.authorization = `Bearer ${token}`
    if (key !== undefined) headers['idempotency-key'] = key
    if (csv !== undefined) headers['content-type'] = 'text/csv'
    if (body !== undefined) headers['content-type'] = 'application/json'
    const content = body === undefined ? csv : JSON.stringify(body)
    return send(`${url}/api/v1${path}`, { method, headers, body: content ?? null })
  }

  return {
    async ask<T>(call: Call) {
      const answer = await sendCall(call)
      return (await answer.body.json()) as T
    },
    async tell(call) {
      const answer = await sendCall(call)
      await answer.body.dump()
    },
    async postForm(page, fields) {
      const headers = { 'content-type': 'application/x-www-form-urlencoded' }
      const body = new URLSearchParams(fields).toString()
      const answer = await send(page, { method: 'POST', headers, body })
      await answer.body.dump()
      if (answer.statusCode !== 303) throw new Error(`The card page said ${answer.statusCode}.`)
    },
    counts: () => ({ ...counts }),
    close: () => agent.close(),
  }
}

export function isRefused(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

function toConnectionError(error: unknown): Error {
  const isPassing =
    error instanceof errors.UndiciError ||
    (error instanceof Error && 'code' in error && /^E[A-Z]+$/.test(String(error.code)))
  if (isPassing && error instanceof Error) return error
  throw error
}

function toRefused(what: string, status: number, text: string): Refused {
  const code = /"code":"([A-Z0-9_]+)"/.exec(text)?.[1] ?? String(status)
  const detail = /"detail":"([^"]*)"/.exec(text)?.[1] ?? ''
  // Addresses without their ids, so that the report can count what happened often.
  const call = what.replaceAll(/https?:\/\/[^/]+|[0-9a-f-]{36}|cs_\w+/g, (all) =>
    all.startsWith('http') ? '' : '…',
  )
  return Object.assign(new Error(`${call}: ${status} ${code} ${detail}`.trim()), { status, code })
}
