import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { AppError } from '@halles/kit/errors'
import type { Store } from '../backup/connection.ts'
import { type Manifest, readManifest } from '../backup/manifest.ts'
import { checkBackup, restore as restoreStores } from '../backup/restore.ts'
import { missingSecrets } from '../backup/secrets-record.ts'
import { holdFolder, storesOnServer, withEmbeddedStores } from '../backup/stores.ts'
import { openDataFolder } from '../data-folder.ts'
import { writeJson } from '../files.ts'
import { recordChoice } from '../messaging-choice.ts'
import { loadSecrets, readSecrets, type Secrets } from '../secrets.ts'
import { databaseRoles } from '../topology.ts'
import { checkUrl, describe } from './backup.ts'
import { type Command, type Context, textOf } from './command.ts'

export const restore: Command = {
  name: 'restore',
  summary: 'Bring back every database from a backup, or some of them.',
  isLocal: true,
  words: ['<folder>'],
  options: {
    'database-url': { type: 'string' },
    secrets: { type: 'string' },
    only: { type: 'string' },
    check: { type: 'boolean' },
    force: { type: 'boolean' },
  },
  help: `  <folder>              the backup
  --check               look whether it is whole and fits this release, and touch nothing
  --only PART,…         the databases of these parts alone (orders,payments)
  --force               throw away what is in the databases now
  --secrets FILE        the stack's secrets, where they are neither in DATA nor in the backup
  --database-url URL    of a server that the stack does not run; its databases must exist

The stack must not run; start it afterwards. Everything is again as it was at the moment of the
backup: passwords, roles and sessions too. Afterwards: npm run halles -- reconcile --since TIME.`,
  example: 'backups/2026-01-01T00-00-00',
  async run(input, context) {
    const folder = resolve(input.words[0] ?? '')
    const serverUrl = textOf(input, 'database-url')
    const manifest = choose(readManifest(folder), textOf(input, 'only'))
    await checkBackup(folder, manifest, context.progress)
    const isForced = input.options.force === true
    const fill = (stores: readonly Store[]) =>
      restoreStores({
        ...{ folder, manifest, isForced, progress: context.progress },
        stores: storesFor(manifest, stores),
      })
    if (input.options.check !== true) {
      if (serverUrl === undefined) {
        const secretsFile = textOf(input, 'secrets')
        await intoDataFolder({ folder, manifest, secretsFile, context, fill })
      } else {
        checkUrl(serverUrl)
        await fill(await storesOnServer(serverUrl, context.env))
      }
    }
    const text = describe(folder, manifest)
    context.show({ json: { folder, ...manifest }, text })
    return true
  },
}

function choose(manifest: Manifest, only: string | undefined): Manifest {
  if (only === undefined) return manifest
  const wanted = only.split(',').map((each) => each.trim())
  const databases = manifest.databases.filter(({ part }) => wanted.includes(part))
  const absent = wanted.filter((part) => !databases.some((each) => each.part === part))
  if (absent.length === 0) return { ...manifest, databases }
  const known = manifest.databases.map(({ part }) => part).join(', ')
  const message = `${absent.join(', ')}: not in this backup, which has ${known}.`
  throw new AppError('not-found', 'NOT_IN_BACKUP', message)
}

function storesFor({ databases }: Manifest, stores: readonly Store[]): Store[] {
  return databases.map(({ part, database }) => {
    const store = stores.find((each) => each.part === part)
    if (store) return store
    const message = `There is no database ${database} to restore to. Create it, or name others: --only.`
    throw new AppError('not-found', 'STORE_MISSING', message)
  })
}

type IntoFolder = {
  folder: string
  manifest: Manifest
  secretsFile: string | undefined
  context: Context
  fill(stores: readonly Store[]): Promise<void>
}

async function intoDataFolder(options: IntoFolder): Promise<void> {
  const { manifest, context, fill } = options
  const { env } = context
  const dataFolder = openDataFolder(context.dataFolder)
  const lock = holdFolder(dataFolder)
  if (!lock) {
    const message = `A stack runs on ${dataFolder}. Stop it first.`
    throw new AppError('conflict', 'STACK_RUNNING', message)
  }
  try {
    const secrets = settleSecrets(dataFolder, options)
    const messaging = manifest.messaging ?? { queues: 'embedded', topics: 'embedded' }
    await withEmbeddedStores({ dataFolder, secrets, messaging, env }, fill)
    recordChoice(dataFolder, messaging)
  } finally {
    lock.release()
  }
}

/** The secrets that the data can be read with, in the data folder. */
function settleSecrets(dataFolder: string, { folder, manifest, secretsFile }: IntoFolder): Secrets {
  const own = join(dataFolder, 'secrets.json')
  const isIncluded = manifest.secrets?.isIncluded === true
  const given = secretsFile ?? (isIncluded ? join(folder, 'secrets.json') : own)
  const source = existsSync(own) ? own : given
  const found = readSecrets(source)
  if (!found) {
    const message = `The backup was sealed with secrets that are neither in ${dataFolder} nor in it. Name them: --secrets FILE.`
    throw new AppError('not-found', 'SECRETS_MISSING', message)
  }
  const missing = manifest.secrets === null ? [] : missingSecrets(manifest.secrets, found)
  if (missing.length > 0) {
    const message = `${source} lacks what the backup was sealed with (${missing.join(', ')}). Restore into another folder, --data DIR, or name other secrets: --secrets FILE.`
    throw new AppError('conflict', 'SECRETS_DIFFER', message)
  }
  if (source !== own) writeJson(own, found)
  return loadSecrets(dataFolder, databaseRoles)
}
