import { randomBytes } from 'node:crypto'
import { eventually } from '@halles/kit/testing'
import type { EmbeddedPostgres } from '../../stack/src/embedded-postgres.ts'
import { createDatabases } from '../../stack/src/postgres-databases.ts'
import { startTestPostgres } from '../../stack/src/test-postgres.ts'

/** A PostgreSQL besides that of the stack, which can be broken alone. */
export type OwnPostgres = {
  postgres: EmbeddedPostgres
  /** What the stack is told, so that the services keep their databases here. */
  settings: Readonly<Record<string, string>>
  /** kill -9 of the server; resolves when it answers again. */
  kill(): Promise<void>
  stop(): Promise<void>
}

/**
 * @param databases names by service, which is the role too.
 * @param portOf where services reach the server that listens on a port; there, when absent.
 */
export async function startOwnPostgres(
  databases: Readonly<Record<string, string>>,
  portOf: (port: number) => Promise<number> = async (port) => port,
): Promise<OwnPostgres> {
  const { postgres, stop } = await startTestPostgres({ maxConnections: 100, isDurable: true })
  const plans = Object.entries(databases).map(([role, database]) => {
    return { role, database, password: randomBytes(16).toString('hex') }
  })
  await createDatabases(postgres.url, plans)
  const port = await portOf(postgres.port)
  const settings = plans.map(({ role: name, database, password }) => {
    const url = new URL(postgres.url(database, { name, password }))
    url.port = String(port)
    return [`HALLES_${name.toUpperCase()}_DATABASE_URL`, url.href]
  })
  return {
    postgres,
    settings: Object.fromEntries(settings),
    kill: () => killPostgres(postgres),
    stop,
  }
}

async function killPostgres(postgres: EmbeddedPostgres): Promise<void> {
  const pid = postgres.serverPid()
  if (pid === undefined) throw new Error('The PostgreSQL does not run.')
  const { restarts } = postgres.status()
  process.kill(pid, 'SIGKILL')
  await eventually(() => postgres.status().restarts > restarts, { limitMs: 30_000 })
  await eventually(() => postgres.status().state === 'ready', { limitMs: 60_000 })
}
