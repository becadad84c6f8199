import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Tokens } from '@halles/contracts/gen/http/auth'
import { AppError, type Problem } from '@halles/kit/errors'
import { readJson } from './files.ts'
import { readProcesses } from './supervisor.ts'

/** A call of the public API. */
export type Call = {
  method: string
  /** Path and query. */
  path: string
  /** The body's type; JSON unless it is said. */
  type?: string
  body?: string | Buffer<ArrayBuffer>
  headers?: Readonly<Record<string, string>>
  /** Milliseconds until the answer is there. */
  limitMs?: number
  /** Whether it may be sent again when the shop says that it could not serve it. Default true. */
  isRepeatable?: boolean
}

/** The running shop, signed in. */
export type Session = {
  readonly url: string
  /**
   * Resolves with the parsed body of a success, undefined when it has none. Throws AppError with the
   * code and the words of the shop's problem document, `SHOP_UNREACHABLE`, `SIGN_IN_FAILED`.
   */
  call<T>(call: Call): Promise<T>
}

export type Credentials = { email: string; password: string } | { token: string }

// An upload of 16 MiB on a slow line, and longer than the gateway waits for a service.
const answerLimitMs = 60_000
const maxTries = 5
const longestPauseSeconds = 30
// Right after the first start the administrator's credentials may still be on their way to auth.
const signInTries = 3
const signInPauseMs = 1_000

/**
 * Signs in, by default with what the stack wrote into its data folder.
 * Throws AppError when no stack was started there, or when none answers.
 */
export async function openSession(options: {
  dataFolder: string
  url?: string | undefined
  credentials?: Credentials | undefined
}): Promise<Session> {
  const folder = resolve(options.dataFolder)
  const credentials = options.credentials ?? readAdmin(folder)
  const known = options.url === undefined ? readProcesses(folder)?.url : undefined
  const url = (options.url ?? known ?? 'http://localhost:8080').replace(/\/+$/, '')
  const newToken = async () =>
    'token' in credentials ? credentials.token : signIn(url, credentials)
  let token = await newToken()

  return {
    url,
    async call<T>(call: Call): Promise<T> {
      for (let tries = 1; ; tries += 1) {
        const response = await send(url, { ...call, token })
        if (response.ok) {
          const text = await response.text()
          return (text === '' ? undefined : JSON.parse(text)) as T
        }
        const problem = await readProblem(response)
        if (tries < maxTries && response.status === 401 && !('token' in credentials)) {
          // What is done may take longer than a token lives.
          token = await newToken()
          continue
        }
        const pauseSeconds = Number(response.headers.get('retry-after'))
        // What was refused for its rate was not begun.
        const mayRepeat = (call.isRepeatable ?? true) || response.status === 429
        if (tries === maxTries || !mayRepeat || !(pauseSeconds > 0)) throw problem
        await delay(Math.min(pauseSeconds, longestPauseSeconds) * 1_000)
      }
    },
  }
}

type Admin = { email: string; password: string }

function readAdmin(folder: string): Admin {
  const path = join(folder, 'admin.json')
  const admin = readJson(path)
  if (typeof admin === 'object' && admin !== null && 'email' in admin && 'password' in admin) {
    return { email: String(admin.email), password: String(admin.password) }
  }
  throw new AppError(
    'not-found',
    'NO_STACK',
    `No shop was started on ${folder}: there is no ${path}. Run npm start first, or say where: --data DIR.`,
  )
}

async function signIn(url: string, admin: Admin): Promise<string> {
  for (let tries = 1; tries <= signInTries; tries += 1) {
    const response = await send(url, {
      method: 'POST',
      path: '/api/v1/sessions',
      body: JSON.stringify(admin),
    })
    if (response.ok) return ((await response.json()) as Tokens).accessToken
    const problem = await readProblem(response)
    if (response.status !== 401) throw problem
    await delay(signInPauseMs)
  }
  throw new AppError(
    'unauthenticated',
    'SIGN_IN_FAILED',
    `The shop at ${url} does not know this e-mail and password. Is it another shop, or was the password changed?`,
  )
}

async function send(
  url: string,
  { method, path, type = 'application/json', token, ...call }: Call & { token?: string },
): Promise<Response> {
  const { body, limitMs } = call
  const headers: Record<string, string> = { ...call.headers }
  if (body !== undefined) headers['content-type'] = type
  if (token !== undefined) headers.authorization = `Bearer ${token}`
  const signal = AbortSignal.timeout(limitMs ?? answerLimitMs)
  try {
    return await fetch(`${url}${path}`, {
      method,
      headers,
      signal,
      ...(body === undefined ? {} : { body }),
    })
  } catch (cause) {
    if (cause instanceof Error && cause.name === 'TimeoutError') {
      const text = `The shop at ${url} takes too long to answer.`
      throw new AppError('timeout', 'SHOP_TOO_SLOW', text, { cause })
    }
    throw new AppError(
      'unavailable',
      'SHOP_UNREACHABLE',
      `Nothing answers at ${url}. Is the shop running? Start it: npm start`,
      { cause },
    )
  }
}

async function readProblem(response: Response): Promise<AppError> {
  const text = await response.text()
  const isProblem = (response.headers.get('content-type') ?? '').includes('problem+json')
  const problem = isProblem ? (JSON.parse(text) as Problem) : undefined
  const faults = (problem?.errors ?? []).map(({ pointer, detail }) => `${pointer} ${detail}`)
  const detail = problem?.detail ?? `The shop answered ${response.status}.`
  return new AppError('invalid', problem?.code ?? 'REFUSED', [detail, ...faults].join(' '))
}
