import { randomBytes } from 'node:crypto'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEmbeddedPostgres } from './embedded-postgres.ts'
import { createLogs } from './logs.ts'
import { createExtensions } from './postgres-databases.ts'

/** A throw-away PostgreSQL for tests: no fsync, and gone with its data when this process ends. */
export async function startTestPostgres(): Promise<{ url: string; stop(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'halles-test-'))
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
    // Two files at a time, each with several pools.
    maxConnections: 300,
    isDurable: false,
    isTemporary: true,
    logFd: logs.open('postgres'),
    logTail: () => logs.tail('postgres', 6),
  })
  await postgres.start()
  await createExtensions(postgres.url)
  return {
    url: postgres.url('postgres'),
    async stop() {
      await postgres.stop()
      logs.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
