import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Tokens } from '@halles/contracts/gen/http/auth'
import type { Import } from '@halles/contracts/gen/http/products'
import { AppError, type Problem } from '@halles/kit/errors'
import { readJson } from './files.ts'
import { readProcesses } from './supervisor.ts'

/** The running shop, signed in as its administrator. */
export type Shop = {
  /** Hands the file over and follows the import to its end. */
  importCatalogue(
    content: Buffer<ArrayBuffer>,
    query: URLSearchParams,
    onProgress: (state: Import) => void,
  ): Promise<Import>
}

type Call = { method: string; path: string; type?: string; body?: string | Buffer<ArrayBuffer> }

// An upload of 16 MiB on a slow line, and longer than the gateway waits for a service.
const answerLimitMs = 60_000
// From a first look that finds a small file done to one that costs nothing for a large one.
const pollMs = { first: 50, most: 500 }
// An import that does not move for so long has been lost.
const standstillMs = 180_000
const maxTries = 5
const longestPauseSeconds = 30
// Right after the first start the administrator's credentials may still be on their way to auth.
const signInTries = 3
const signInPauseMs = 1_000

/**
 * Signs in with what the stack wrote into its data folder.
 * @throws AppError when no stack was started there, or when none answers.
 */
export async function openShop(options: {
  dataFolder: string
  url: string | undefined
}): Promise<Shop> {
  const folder = resolve(options.dataFolder)
  const admin = readAdmin(folder)
  const known = readProcesses(folder)?.url
  const url = (options.url ?? known ?? 'http://localhost:8080').replace(/\/+$/, '')
  let token = await signIn(url, admin)

  async function call<T>(request: Call): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      const response = await send(url, { ...request, token })
      if (response.ok) return (await response.json()) as T
      const problem = await readProblem(response)
      if (tries < maxTries && response.status === 401) {
        // The import may take longer than a token lives.
        token = await signIn(url, admin)
        continue
      }
      const pauseSeconds = Number(response.headers.get('retry-after'))
      if (tries === maxTries || !(pauseSeconds > 0)) throw problem
      await delay(Math.min(pauseSeconds, longestPauseSeconds) * 1_000)
    }
  }

  return {
    async importCatalogue(content, query, onProgress) {
      const path = `/api/v1/products/imports${query.size > 0 ? `?${query}` : ''}`
      let state = await call<Import>({ method: 'POST', path, type: 'text/csv', body: content })
      let movedAtMs = performance.now()
      let pauseMs = pollMs.first
      onProgress(state)
      while (state.status === 'running') {
        await delay(pauseMs)
        pauseMs = Math.min(pollMs.most, pauseMs * 2)
        const next = await call<Import>({
          method: 'GET',
          path: `/api/v1/products/imports/${state.id}`,
        })
        if (next.done !== state.done || next.format !== state.format) movedAtMs = performance.now()
        state = next
        onProgress(state)
        if (performance.now() - movedAtMs > standstillMs) {
          throw new AppError(
            'timeout',
            'IMPORT_STANDS_STILL',
            `The import ${state.id} stands still.`,
          )
        }
      }
      return state
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
      type: 'application/json',
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
    `The shop at ${url} does not know the administrator of admin.json. Is it another one, or was the password changed?`,
  )
}

async function send(
  url: string,
  { method, path, type, body, token }: Call & { token?: string },
): Promise<Response> {
  const headers: Record<string, string> = {}
  if (type !== undefined) headers['content-type'] = type
  if (token !== undefined) headers.authorization = `Bearer ${token}`
  const signal = AbortSignal.timeout(answerLimitMs)
  try {
    return await fetch(`${url}${path}`, {
      method,
      headers,
      signal,
      ...(body === undefined ? {} : { body }),
    })
  } catch (cause) {
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
