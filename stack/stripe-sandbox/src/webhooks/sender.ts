import http from 'node:http'
import https from 'node:https'
import type { Attempt, StoredEvent } from '../store.ts'
import { signWebhook } from './signature.ts'

export type SenderOptions = {
  clock: () => number
  /** All that are active sign: two while one replaces the other. */
  secrets: () => readonly string[]
  timeoutMs: number
  concurrency: number
}

/** How a fault makes a signature wrong: by other secrets, or by an old date. */
export type Forgery = { secrets?: readonly string[]; ageMs?: number }

// Enough to recognise a problem body, little enough to keep for each attempt.
const excerptLength = 2_000
// An answer is read to its end so that the connection can be used again, but not without a bound.
const maxAnswerBytes = 65_536

/** Posts signed events; every outcome, a broken connection too, is an attempt and not an error. */
export function createWebhookSender(options: SenderOptions) {
  const { clock } = options
  const agents = {
    http: new http.Agent({ keepAlive: true, maxSockets: options.concurrency }),
    https: new https.Agent({ keepAlive: true, maxSockets: options.concurrency }),
  }

  async function post(event: StoredEvent, url: string, forgery: Forgery = {}): Promise<Attempt> {
    const at = clock()
    const started = performance.now()
    const signedAt = Math.floor((at - (forgery.ageMs ?? 0)) / 1000)
    const signature = signWebhook(event.body, forgery.secrets ?? options.secrets(), signedAt)
    const outcome = await send(url, event.body, signature)
    return { at, ...outcome, durationMs: Math.round(performance.now() - started) }
  }

  function send(
    url: string,
    body: string,
    signature: string,
  ): Promise<Omit<Attempt, 'at' | 'durationMs'>> {
    const isSecure = url.startsWith('https:')
    const { promise, resolve } = Promise.withResolvers<Omit<Attempt, 'at' | 'durationMs'>>()
    const fail = (error: Error) => resolve({ status: null, error: error.message, responseBody: '' })
    const request = (isSecure ? https : http).request(url, {
      method: 'POST',
      agent: isSecure ? agents.https : agents.http,
      signal: AbortSignal.timeout(options.timeoutMs),
      headers: {
        'content-type': 'application/json; charset=utf-8',
        'content-length': Buffer.byteLength(body),
        'user-agent': 'Stripe/1.0 (+https://stripe.com/docs/webhooks)',
        'stripe-signature': signature,
      },
    })
    request.on('error', fail)
    request.on('response', (response) => {
      let responseBody = ''
      let bytes = 0
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        bytes += chunk.length
        if (responseBody.length < excerptLength) responseBody += chunk
        if (bytes > maxAnswerBytes) response.destroy(new Error('The answer is too long.'))
      })
      response.on('error', fail)
      response.on('end', () => {
        const status = response.statusCode ?? 0
        resolve({ status, error: null, responseBody: responseBody.slice(0, excerptLength) })
      })
    })
    request.end(body)
    return promise
  }

  return {
    post,
    close(): void {
      agents.http.destroy()
      agents.https.destroy()
    },
  }
}
