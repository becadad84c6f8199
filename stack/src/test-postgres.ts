import { randomBytes } from 'node:crypto'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createEmbeddedPostgres,
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
} from './embedded-postgres.ts'
import { createLogs } from './logs.ts'
import { createExtensions } from './postgres-databases.ts'

/** Which kind of server; see {@link EmbeddedPostgresOptions}. */
type Kind = Pick<EmbeddedPostgresOptions, 'maxConnections' | 'isDurable' | 'isTemporary'>

// Two files at a time, each with several pools; no fsync, and gone with its data when we are.
const throwAway: Kind = { maxConnections: 300, isDurable: false, isTemporary: true }

/** A PostgreSQL for tests in a folder of its own, which is removed when it is stopped. */
export async function startTestPostgres(
  kind: Kind = throwAway,
): Promise<{ postgres: EmbeddedPostgres; url: string; stop(): Promise<void> }> {
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
    ...kind,
    dataDirectory: join(folder, 'postgres'),
    superuserPassword: randomBytes(16).toString('hex'),
    logFd: logs.open('postgres'),
    logTail: () => logs.tail('postgres', 6),
  })
  await postgres.start()
  await createExtensions(postgres.url)
  return {
    postgres,
    url: postgres.url('postgres'),
    async stop() {
      await postgres.stop()
      logs.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
