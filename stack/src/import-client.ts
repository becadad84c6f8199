import { setTimeout as delay } from 'node:timers/promises'
import type { Import } from '@halles/contracts/gen/http/products'
import { AppError } from '@halles/kit/errors'
import type { Session } from './shop-session.ts'

// From a first look that finds a small file done to one that costs nothing for a large one.
const pollMs = { first: 50, most: 500 }
// An import that does not move for so long has been lost.
const standstillMs = 180_000

type Order = {
  content: Buffer<ArrayBuffer>
  query: URLSearchParams
  onProgress(state: Import): void
}

/** Hands the file over and follows the import to its end. Throws `IMPORT_STANDS_STILL`. */
export async function followImport(
  { call }: Session,
  { content, query, onProgress }: Order,
): Promise<Import> {
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
      const message = `The import ${state.id} stands still.`
      throw new AppError('timeout', 'IMPORT_STANDS_STILL', message)
    }
  }
  return state
}
