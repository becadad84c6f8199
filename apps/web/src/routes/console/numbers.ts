import type { Part } from './picture.ts'

/** What a part's curves show. */
export type NumberName =
  | 'requests'
  | 'failures'
  | 'p95Ms'
  | 'memoryMb'
  | 'hitPercent'
  | 'busy'
  | 'waiting'
  | 'lag'

export type Numbers = Partial<Record<NumberName, number>>
export type NumbersAt = { atMs: number; numbers: Numbers }

/** The names in the order in which they are shown. */
export const numberNames = [
  'requests',
  'failures',
  'p95Ms',
  'hitPercent',
  'memoryMb',
  'busy',
  'waiting',
  'lag',
] as const satisfies readonly NumberName[]

const toMb = (bytes: number) => bytes / 1024 / 1024

/** The numbers of a part in one picture. */
export function numbersOf(part: Part): Numbers {
  const { perSecond, failuresPerSecond, p95Ms, memoryBytes, pool, queue, lags, cache } = part
  return {
    ...(perSecond !== undefined && { requests: perSecond }),
    ...(failuresPerSecond !== undefined && { failures: failuresPerSecond }),
    ...(p95Ms !== undefined && { p95Ms }),
    ...(typeof cache?.hitRatio === 'number' && { hitPercent: 100 * cache.hitRatio }),
    ...(memoryBytes !== undefined && { memoryMb: toMb(memoryBytes) }),
    ...(pool && { busy: pool.busy, waiting: pool.waiting }),
    ...(queue && { waiting: queue.waiting }),
    ...(lags && { lag: lags.reduce((sum, { lag }) => sum + lag, 0) }),
  }
}

type Figures = {
  requestsPerSecond?: number
  errorsPerSecond?: number
  p95Ms?: number
  memoryBytes?: number
}

/** The points of all instances of a service, second by second. */
export function mergePoints(
  instances: readonly (readonly { at: string; figures: Figures }[])[],
): NumbersAt[] {
  const seconds = new Map<number, Figures[]>()
  for (const { at, figures } of instances.flat()) {
    const second = Math.floor(Date.parse(at) / 1_000)
    seconds.set(second, [...(seconds.get(second) ?? []), figures])
  }
  return [...seconds]
    .sort(([a], [b]) => a - b)
    .map(([second, figures]) => ({ atMs: second * 1_000, numbers: addUp(figures) }))
}

function addUp(figures: readonly Figures[]): Numbers {
  const valuesOf = (key: keyof Figures) => figures.flatMap((each) => each[key] ?? [])
  const sum = (values: readonly number[]) => values.reduce((total, each) => total + each, 0)
  const times = valuesOf('p95Ms')
  const rates = valuesOf('requestsPerSecond')
  return {
    ...(rates.length > 0 && { requests: sum(rates), failures: sum(valuesOf('errorsPerSecond')) }),
    ...(times.length > 0 && { p95Ms: Math.max(...times) }),
    memoryMb: toMb(sum(valuesOf('memoryBytes'))),
  }
}

/** Older points, and those that were seen since. */
export function joinPoints(
  older: readonly NumbersAt[],
  seen: readonly NumbersAt[],
): readonly NumbersAt[] {
  const from = seen[0]?.atMs ?? Number.POSITIVE_INFINITY
  return [...older.filter(({ atMs }) => atMs < from - 500), ...seen]
}
