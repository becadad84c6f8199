import { copyFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { AppError } from '@halles/kit/errors'
import { backUp } from '../backup/back-up.ts'
import type { Store } from '../backup/connection.ts'
import type { Manifest } from '../backup/manifest.ts'
import { recordSecrets } from '../backup/secrets-record.ts'
import {
  hasDatabase,
  holdFolder,
  readMessaging,
  storesOfRunning,
  storesOnServer,
  withEmbeddedStores,
} from '../backup/stores.ts'
import { loadSecrets } from '../secrets.ts'
import { databaseRoles } from '../topology.ts'
import { type Command, type Context, type Input, textOf, usage } from './command.ts'
import { table } from './table.ts'

export const backup: Command = {
  name: 'backup',
  summary: 'Keep every database as it is at one moment, while the shop sells.',
  isLocal: true,
  words: ['[folder]'],
  options: {
    'database-url': { type: 'string' },
    'with-secrets': { type: 'boolean' },
  },
  help: `  [folder]              a new folder (DATA/backups/TIME); take it to another machine
  --with-secrets        the stack's secrets too: who has the folder can then read everything in it
  --database-url URL    of a server that the stack does not run, as somebody who may read every
                        database; leave the password to PGPASSWORD, or ~/.pgpass. One part's own:
                        HALLES_ORDERS_DATABASE_URL=URL

Without its secrets (DATA/secrets.json) a backup cannot be used: keep them elsewhere. Messages are in
it where PostgreSQL keeps them; what waits in RabbitMQ or Kafka is not.`,
  async run(input, context) {
    const serverUrl = textOf(input, 'database-url')
    const now = new Date().toISOString().replaceAll(':', '-').slice(0, 19)
    const name = input.words[0] ?? join(context.dataFolder, 'backups', now)
    const folder = resolve(name)
    const manifest =
      serverUrl === undefined
        ? await ofDataFolder(folder, input, context)
        : await ofServer(folder, { serverUrl, input, context })
    context.show({ json: { folder, ...manifest }, text: describe(folder, manifest) })
    return true
  },
}

async function ofServer(
  folder: string,
  { serverUrl, input, context }: { serverUrl: string; input: Input; context: Context },
): Promise<Manifest> {
  const { env, progress } = context
  checkUrl(serverUrl)
  if (input.options['with-secrets'] === true) {
    throw usage('--with-secrets: the secrets of a server that the stack does not run are yours.')
  }
  const stores = await storesOnServer(serverUrl, env)
  return backUp({ stores, folder, messaging: null, secrets: null, progress })
}

/** Throws `USAGE`, without the address: it may hold a password. */
export function checkUrl(serverUrl: string): void {
  if (!/^postgres(ql)?:$/.test(URL.parse(serverUrl)?.protocol ?? '')) {
    throw usage('--database-url: not an address like postgres://user@host:5432.')
  }
}

async function ofDataFolder(
  folder: string,
  { options }: Input,
  { dataFolder, env, progress }: Context,
): Promise<Manifest> {
  if (!hasDatabase(dataFolder)) {
    throw new AppError('not-found', 'NO_DATABASE', `There is no database in ${dataFolder} yet.`)
  }
  const secrets = loadSecrets(dataFolder, databaseRoles)
  const messaging = readMessaging(dataFolder)
  const isIncluded = options['with-secrets'] === true
  const keep = (stores: readonly Store[]) =>
    backUp({
      ...{ stores, folder, messaging, progress, secrets: recordSecrets(secrets, isIncluded) },
      addFiles(draft) {
        if (isIncluded) copyFileSync(join(dataFolder, 'secrets.json'), join(draft, 'secrets.json'))
      },
    })
  const lock = holdFolder(dataFolder)
  if (!lock) return keep(storesOfRunning(dataFolder, secrets, env))
  try {
    return await withEmbeddedStores({ dataFolder, secrets, messaging, env }, keep)
  } finally {
    lock.release()
  }
}

/** The databases of a backup, for people. */
export function describe(folder: string, { takenAt, databases, secrets }: Manifest): string {
  const rows = databases.map(({ database, tables }) => {
    const count = tables.reduce((sum, each) => sum + each.rows, 0)
    const bytes = tables.reduce((sum, each) => sum + each.bytes, 0)
    return [database, String(tables.length), String(count), `${(bytes / 1024 ** 2).toFixed(1)} MB`]
  })
  const hint = secrets?.isIncluded
    ? 'The secrets are in it: whoever has this folder can read everything.'
    : 'The secrets are not in it: keep secrets.json elsewhere, or the backup is of no use.'
  return [
    table(['DATABASE', 'TABLES', 'ROWS', 'SIZE'], rows),
    '',
    `${folder}: as of ${takenAt}. ${hint}`,
  ].join('\n')
}
