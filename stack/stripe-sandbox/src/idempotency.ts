import { createHash } from 'node:crypto'
import { ApiError, invalid, toErrorBody } from './errors.ts'
import type { SavedAnswer, Store } from './store.ts'

export type Answer = { status: number; body: string; replayOf: string | null }
export type KeyedRequest = { key: string; path: string; body: string; requestId: string }

// Stripe's own limit.
const maxKeyLength = 255

/** Stripe's rules for repeated keys: replay, refuse other parameters, refuse while in use. */
export function createIdempotency(store: Store, clock: () => number) {
  const inUse = new Set<string>()

  async function answer(request: KeyedRequest, execute: () => string): Promise<Answer> {
    const { key } = request
    if (key.length > maxKeyLength) {
      throw invalid(`Idempotency keys can have up to ${maxKeyLength} characters.`)
    }
    if (inUse.has(key)) throw keyInUse(key)
    const fingerprint = fingerprintOf(request)
    const saved = store.get<SavedAnswer>(
      'SELECT fingerprint, status, body, request_id AS requestId FROM answers WHERE key = ?',
      key,
    )
    if (saved !== undefined) return replay(saved, fingerprint, request)
    inUse.add(key)
    try {
      const fresh = run(execute, request.requestId)
      store.write(
        'INSERT OR REPLACE INTO answers (key, at, fingerprint, status, body, request_id) VALUES (?, ?, ?, ?, ?, ?)',
        key,
        clock(),
        fingerprint,
        fresh.status,
        fresh.body,
        request.requestId,
      )
      await store.committed()
      return { ...fresh, replayOf: null }
    } finally {
      inUse.delete(key)
    }
  }

  return { answer }
}

function run(execute: () => string, requestId: string): { status: number; body: string } {
  try {
    return { status: 200, body: execute() }
  } catch (error) {
    if (!(error instanceof ApiError) || !error.isKept) throw error
    return { status: error.status, body: toErrorBody(error, requestId) }
  }
}

function replay(saved: SavedAnswer, fingerprint: string, { key, path }: KeyedRequest): Answer {
  if (saved.fingerprint === fingerprint) {
    return { status: saved.status, body: saved.body, replayOf: saved.requestId }
  }
  const [savedPath] = saved.fingerprint.split(' ')
  const rule =
    savedPath === path
      ? 'Keys for idempotent requests can only be used with the same parameters they were first used with.'
      : `Keys for idempotent requests can only be used for the same endpoint they were first used for ('${path}' vs '${savedPath}').`
  const message = `${rule} Try using a key other than '${key}' if you meant to execute a different request.`
  throw new ApiError(400, { type: 'idempotency_error', message })
}

export function keyInUse(key: string): ApiError {
  const message = `There is currently another in-progress request using this Idempotent Key (that probably means you submitted twice, and the other request is still going through): ${key}. Please try again later.`
  return new ApiError(409, { type: 'idempotency_error', code: 'idempotency_key_in_use', message })
}

/** The same parameters in another order are the same request. */
function fingerprintOf({ path, body }: KeyedRequest): string {
  const sorted = body.split('&').sort().join('&')
  return `${path} ${createHash('sha256').update(sorted).digest('base64url')}`
}
