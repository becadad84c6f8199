import { AppError } from '@halles/kit/errors'
import type { Part } from '@halles/kit/lifecycle'
import type { Logger } from '@halles/kit/logging'
import { createLoop } from '@halles/kit/loop'
import type { Rebuild, RebuildOptions, Rebuilds, ReplicaStore } from './ports.ts'

// A rebuild takes a second or a minute; more lines than this would only fill the log.
const progressMs = 5_000
// While another process rebuilds.
const lookAgainMs = 2_000
const never = Number.POSITIVE_INFINITY

/**
 * Rebuilds the replica when asked, one at a time on its database. A replica that is found incomplete
 * at the start (a lost database, a group that stands at the end of the topic) is rebuilt unasked.
 */
export function createRebuilds(options: {
  replica: Pick<ReplicaStore, 'exclusively' | 'isWhole'>
  rebuild: (options: RebuildOptions) => Promise<Rebuild>
  logger: Logger
}): Rebuilds & { check: Part; repair: Part } {
  const { replica, rebuild, logger } = options
  const stopping = new AbortController()
  const underWay = new Set<Promise<Rebuild>>()
  let isWhole = true

  async function rebuildLogged(): Promise<Rebuild> {
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
    logger.info(done, 'The replica was rebuilt.')
    return done
  }

  function run(): Promise<Rebuild> {
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
