import {
  type ConfigOf,
  type Field,
  hashingConfig,
  integer,
  loadConfig,
  serviceConfig,
} from '@halles/kit/config'
import { rotatingSecret } from '@halles/kit/rotating-secrets'
import { openingKeys } from '@halles/kit/sealing-keys'

const schema = {
  ...serviceConfig,
  /** How long an access token is good. */
  accessTokenSeconds: integer('ACCESS_TOKEN_SECONDS', { default: 600, min: 5, max: 3_600 }),
  /** What private signing keys are encrypted under in the database. */
  signingKeySecret: rotatingSecret('SIGNING_KEY_SECRET'),
  /** What customers encrypts e-mail and hash for, newest first; two while they are rotated. */
  credentialsPrivateKeys: openingKeys('CREDENTIALS_PRIVATE_KEYS'),
  /** Age at which a new signing key is made. */
  signingKeyMaxAgeDays: integer('SIGNING_KEY_MAX_AGE_DAYS', { default: 90, min: 1, max: 3_650 }),
  /** Signing keys that were made before are replaced, whatever their age. */
  signingKeysSince: {
    variable: 'SIGNING_KEYS_SINCE',
    parse: parseMoment,
    fallback: { value: new Date(0) },
  } satisfies Field<Date> as Field<Date>,
  ...hashingConfig,
}

export type Config = ConfigOf<typeof schema>

/** Throws ConfigError with every fault. */
export function readConfig(env: NodeJS.ProcessEnv = process.env): Config {
  return loadConfig(schema, env)
}

function parseMoment(text: string): Date {
  const moment = new Date(text)
  if (Number.isNaN(moment.getTime())) throw new Error('must be a moment such as 2030-01-31T12:00Z.')
  return moment
}
