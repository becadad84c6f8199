import { randomBytes } from 'node:crypto'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually } from '@halles/kit/testing'
import { createEmbeddedPostgres, type EmbeddedPostgres } from '../../stack/src/embedded-postgres.ts'
import { createLogs } from '../../stack/src/logs.ts'
import { createDatabases, createExtensions } from '../../stack/src/postgres-databases.ts'

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
  const folder = mkdtempSync(join(tmpdir(), 'halles-own-postgres-'))
  // PostgreSQL may have to run as another user, who must be able to pass.
  chmodSync(folder, 0o711)
  const logs = createLogs({
    folder: join(folder, 'logs'),
    maxBytes: 50 * 1024 * 1024,
    checkMs: 2_000,
    onError: () => undefined,
  })
  const postgres = await createEmbeddedPostgres({
    dataDirectory: join(folder, 'postgres'),
    superuserPassword: randomBytes(16).toString('hex'),
    maxConnections: 100,
    isDurable: true,
    logFd: logs.open('postgres'),
    logTail: () => logs.tail('postgres', 6),
  })
  await postgres.start()
  await createExtensions(postgres.url)
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
    async stop() {
      await postgres.stop()
      logs.close()
      rmSync(folder, { recursive: true, force: true })
    },
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
