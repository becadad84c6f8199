import type { Logger } from '@halles/kit/logging'
import { createLoop } from '@halles/kit/loop'
import type { Tracer } from '@halles/kit/spans'
import type { ImportedProduct } from './import/imported-product.ts'
import type { Deps } from './ports.ts'
import { runNextImport, seedCatalogue } from './use-cases/imports.ts'
import { releaseExpired } from './use-cases/reservations.ts'

export type JobTimes = {
  /** Between two looks for expired reservations: how late stock may come back. */
  expiryMs: number
  /** Between two looks for imports that a dead replica left behind; a new one wakes its own. */
  importMs: number
}

const defaultTimes: JobTimes = { expiryMs: 2_000, importMs: 5_000 }

// The database may be away: soon enough for shoppers, rare enough for its start.
const backoff = { baseMs: 500, maxMs: 10_000 }

/** The background work of products, as parts for the life-cycle. */
export function createJobs(
  deps: Deps,
  { logger, tracer }: { logger: Logger; tracer?: Tracer | undefined },
  times: Partial<JobTimes> = {},
) {
  const { expiryMs, importMs } = { ...defaultTimes, ...times }
  let isStopping = false
  const expiry = createLoop({
    name: 'reservation expiry',
    logger,
    tracer,
    backoff,
    round: async () => ((await releaseExpired(deps)) ? 0 : expiryMs),
  })
  const importer = createLoop({
    name: 'importer',
    logger,
    tracer,
    backoff,
    round: async () => ((await runNextImport(deps, () => isStopping)) ? 0 : importMs),
  })
  return {
    wakeImporter: importer.wake,
    parts: [
      { name: 'reservation expiry', start: async () => expiry.start(), stop: () => expiry.stop() },
      {
        name: 'importer',
        start: async () => importer.start(),
        stop() {
          isStopping = true
          return importer.stop()
        },
      },
    ],
  }
}

/** A part that fills an empty catalogue before anything is served. */
export function createSeeder(deps: Deps, logger: Logger, catalogue: readonly ImportedProduct[]) {
  return {
    name: 'demo catalogue',
    async start() {
      const isSeeded = await seedCatalogue(deps, catalogue)
      if (isSeeded) logger.info({ products: catalogue.length }, 'The demo catalogue was imported.')
    },
  }
}
