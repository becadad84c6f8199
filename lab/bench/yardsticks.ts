import { fork } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { createDatabase, sql } from '@halles/kit/database'
import { createLogger } from '@halles/kit/logging'
import { createPasswordHasher } from '@halles/kit/passwords'
import { freePort } from '@halles/kit/testing'
import { loadHttp, loadWork, type Measured } from './load.ts'

export type Yardsticks = { constant: Measured; select: Measured; hash: Measured }

const startLimitMs = 20_000

/** What this machine can do at this moment, to judge the shop's figures by. */
export async function measureYardsticks(options: {
  seconds: number
  postgresUrl: string
}): Promise<Yardsticks> {
  const { seconds, postgresUrl } = options
  return {
    constant: await measureConstant(seconds),
    select: await measureSelect(seconds, postgresUrl),
    hash: await measureHash(seconds),
  }
}

async function measureConstant(seconds: number): Promise<Measured> {
  const port = await freePort()
  const server = fork(join(import.meta.dirname, 'yardstick-server.ts'), [String(port)])
  try {
    await once(server, 'message', { signal: AbortSignal.timeout(startLimitMs) })
    const load = {
      url: `http://127.0.0.1:${port}`,
      connections: 32,
      next: () => ({ path: '/constant' }),
    }
    await loadHttp({ ...load, seconds: 1 })
    return await loadHttp({ ...load, seconds })
  } finally {
    const ended = once(server, 'exit')
    server.kill('SIGTERM')
    await ended
  }
}

const create = sql(
  'lab.create',
  `create table if not exists yardstick as
   select id, repeat('x', 500) as payload from generate_series(1, 10000) as id`,
)
const index = sql('lab.index', 'create unique index if not exists yardstick_id on yardstick (id)')
const select = sql('lab.select', 'select payload from yardstick where id = $1')

async function measureSelect(seconds: number, url: string): Promise<Measured> {
  const logger = createLogger({ service: 'lab', level: 'error', instance: 'lab' })
  const database = createDatabase({ url, logger, applicationName: 'lab', poolSize: 10 })
  try {
    await database.run(create)
    await database.run(index)
    let id = 0
    const work = async () => {
      id = (id % 10_000) + 1
      await database.one(select, [id], () => new Error('The row is missing.'))
    }
    await loadWork({ workers: 10, seconds: 1, work })
    return await loadWork({ workers: 10, seconds, work })
  } finally {
    await database.close()
  }
}

/** As auth does at a sign-in: as many at once as there are cores. */
async function measureHash(seconds: number): Promise<Measured> {
  const workers = availableParallelism()
  const hasher = createPasswordHasher({ concurrency: workers, queueLimit: workers })
  const hashed = await hasher.hash('market-day')
  return loadWork({
    workers,
    seconds,
    async work() {
      if (!(await hasher.verify(hashed, 'market-day'))) throw new Error('The hash is wrong.')
    },
  })
}
