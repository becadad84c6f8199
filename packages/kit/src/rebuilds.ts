import type { Database } from './database.ts'
import { toDatabaseError } from './database-errors.ts'
import { AppError } from './errors.ts'
import type { Part } from './lifecycle.ts'
import type { Logger } from './logging.ts'
import { createLoop } from './loop.ts'

export type RebuildOptions = {
  /** Breaks the rebuild off. */
  signal?: AbortSignal
  /** Called for each message; the topic is read twice. */
  onProgress?(progress: { pass: 1 | 2; messages: number }): void
}

export type Rebuilds<Done> = {
  /** Throws `REBUILD_UNDER_WAY`, `REBUILD_STOPPED` at the end of the process, `MESSAGES_UNAVAILABLE`. */
  run(): Promise<Done>
}

/** What a replica of another service's facts tells of itself. */
export type RebuildableReplica = {
  /** Runs the work if nobody rebuilds this database's replica. Throws conflict `REBUILD_UNDER_WAY`. */
  exclusively<T>(work: () => Promise<T>): Promise<T>
  /** False when it was never built, or a rebuild of it was broken off. */
  isWhole(): Promise<boolean>
}

const lockRebuild = 'select pg_try_advisory_lock(hashtext(\'replica rebuild\')) as "isMine"'

/** {@link RebuildableReplica.exclusively} on a service's own database. */
export async function rebuildExclusively<T>(
  database: Database,
  work: () => Promise<T>,
): Promise<T> {
  const client = await database.pool.connect().catch((error: unknown) => {
    throw toDatabaseError(error)
  })
  try {
    // A lock of the session, because a rebuild takes longer than a transaction may: it ends with
    // the connection, however this process ends.
    const { rows } = await client.query<{ isMine: boolean }>(lockRebuild)
    if (rows[0]?.isMine) return await work()
    throw new AppError('conflict', 'REBUILD_UNDER_WAY', 'The replica is being rebuilt already.')
  } finally {
    client.release(true)
  }
}

// A rebuild takes a second or a minute; more lines than this would only fill the log.
const progressMs = 5_000
// While another process rebuilds.
const lookAgainMs = 2_000
const never = Number.POSITIVE_INFINITY

/**
 * Rebuilds the replica when asked, one at a time on its database. A replica that is found incomplete
 * at the start (a lost database, a group that stands at the end of the topic) is rebuilt unasked.
 */
export function createRebuilds<Done extends Record<string, unknown>>(options: {
  replica: RebuildableReplica
  rebuild: (options: RebuildOptions) => Promise<Done>
  logger: Logger
}): Rebuilds<Done> & { check: Part; repair: Part } {
  const { replica, rebuild, logger } = options
  const stopping = new AbortController()
  const underWay = new Set<Promise<Done>>()
  let isWhole = true

  async function rebuildLogged(): Promise<Done> {
    let toldAtMs = performance.now()
    logger.info('The replica is being rebuilt.')
    const done = await rebuild({
      signal: stopping.signal,
      onProgress(progress) {
        if (performance.now() - toldAtMs < progressMs) return
        toldAtMs = performance.now()
        logger.info(progress, 'The replica is still being rebuilt.')
      },
    })
    logger.info({ figures: done }, 'The replica was rebuilt.')
    return done
  }

  function run(): Promise<Done> {
    const work = replica.exclusively(rebuildLogged)
    underWay.add(work)
    return work.finally(() => underWay.delete(work))
  }

  const loop = createLoop({
    name: 'replica repair',
    logger,
    // The broker may be away for hours; it should be noticed soon that it is back.
    backoff: { baseMs: 500, maxMs: 30_000 },
    async round() {
      if (isWhole) return never
      try {
        await run()
      } catch (error) {
        if (!(error instanceof AppError && error.code === 'REBUILD_UNDER_WAY')) throw error
        isWhole = await replica.isWhole()
        return lookAgainMs
      }
      isWhole = true
      return never
    },
  })
  return {
    run,
    // Before any message comes in: a replica with one new product only looks whole.
    check: {
      name: 'replica check',
      async start() {
        isWhole = await replica.isWhole()
      },
    },
    repair: {
      name: 'replica repair',
      start: async () => loop.start(),
      async stop() {
        stopping.abort(new AppError('unavailable', 'REBUILD_STOPPED', 'The service is stopping.'))
        await Promise.allSettled([loop.stop(), ...underWay])
      },
    },
  }
}
