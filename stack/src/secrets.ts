import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { AppError } from '@halles/kit/errors'
import { uuidv7 } from '@halles/kit/ids'
import { createOpeningKey, type OpeningKey } from '@halles/kit/sealing-keys'
import { readJson, writeJson } from './files.ts'

/** Everything the embedded stack makes up by itself, kept in `$HALLES_DATA/secrets.json`. */
export type Secrets = {
  postgresPassword: string
  /** Password by database role. */
  databases: Record<string, string>
  internalSecret: string
  signingKeySecret: string
  /** What customers encrypts for auth, newest first; a key that is put before rotates them. */
  credentialsKeys: readonly OpeningKey[]
  orderTokenSecret: string
  /** Encrypts the tokens in the web server's sessions. */
  sessionSecret: string
  stripeApiKey: string
  stripeWebhookSecret: string
  admin: { subjectId: string; email: string; password: string }
  /** Signing keys that were made before this moment are replaced. */
  signingKeysSince?: string
  /** How far the replacement of each secret is. */
  rotations?: Readonly<Record<string, Rotation>>
}

/**
 * `accepted`: the new one is made known; `using`: it is being put to use; `used`: it is in use and the
 * old one is still good; `finishing`: the old one is being done away with.
 */
export type Rotation = { step: 'accepted' | 'using' | 'used' | 'finishing'; at: string }

const random = () => randomBytes(24).toString('base64url')

function createSecrets(roles: readonly string[]): Secrets {
  return {
    postgresPassword: random(),
    databases: Object.fromEntries(roles.map((role) => [role, random()])),
    internalSecret: random(),
    signingKeySecret: random(),
    credentialsKeys: [createOpeningKey()],
    orderTokenSecret: random(),
    sessionSecret: random(),
    stripeApiKey: `sk_test_${randomBytes(16).toString('hex')}`,
    stripeWebhookSecret: `whsec_${randomBytes(16).toString('hex')}`,
    admin: {
      subjectId: uuidv7(),
      email: process.env.ADMIN_EMAIL ?? 'admin@halles.example',
      password: randomBytes(12).toString('base64url'),
    },
  }
}

/**
 * The data folder's secrets, made up at the first start. What was added since, a role's password
 * for one, is made up then. Throws when the file cannot be read although there are data that need it.
 */
export function loadSecrets(dataFolder: string, roles: readonly string[]): Secrets {
  const path = join(dataFolder, 'secrets.json')
  const known = readSecrets(path)
  if (!known && existsSync(join(dataFolder, 'postgres.json'))) {
    throw new AppError('conflict', 'SECRETS_MISSING', `${path} is missing. ${restoreHint}`)
  }
  const made = createSecrets(roles)
  const secrets = { ...made, ...known, databases: { ...made.databases, ...known?.databases } }
  if (JSON.stringify(secrets) !== JSON.stringify(known)) writeJson(path, secrets)
  const adminPath = join(dataFolder, 'admin.json')
  if (!existsSync(adminPath)) {
    writeJson(adminPath, { email: secrets.admin.email, password: secrets.admin.password })
  }
  return secrets
}

const restoreHint =
  'The database cannot be opened without it. Restore it from a backup; or, to start from nothing and lose what is stored, move the whole data folder away.'

/** The secrets in a file; undefined when there is none. Throws `SECRETS_UNREADABLE`. */
export function readSecrets(path: string): Secrets | undefined {
  let value: unknown
  try {
    value = readJson(path)
  } catch (error) {
    throw new AppError('conflict', 'SECRETS_UNREADABLE', `${path} cannot be read. ${restoreHint}`, {
      cause: error,
    })
  }
  if (value === undefined) return undefined
  const isWhole =
    typeof value === 'object' &&
    value !== null &&
    'postgresPassword' in value &&
    'databases' in value &&
    'admin' in value
  if (!isWhole) {
    throw new AppError('conflict', 'SECRETS_UNREADABLE', `${path} is damaged. ${restoreHint}`)
  }
  return value as Secrets
}
