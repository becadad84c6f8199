import {
  type ConfigOf,
  hashingConfig,
  integer,
  loadConfig,
  secret,
  serviceConfig,
} from '@halles/kit/config'
import { openingKeys } from '@halles/kit/sealing-keys'

const schema = {
  ...serviceConfig,
  /** How long an access token is good. */
  accessTokenSeconds: integer('ACCESS_TOKEN_SECONDS', { default: 600, min: 5, max: 3_600 }),
  /** What private signing keys are encrypted under in the database. */
  signingKeySecret: secret('SIGNING_KEY_SECRET'),
  /** What customers encrypts e-mail and hash for, newest first; two while they are rotated. */
  credentialsPrivateKeys: openingKeys('CREDENTIALS_PRIVATE_KEYS'),
  /** Age at which a new signing key is made. */
  signingKeyMaxAgeDays: integer('SIGNING_KEY_MAX_AGE_DAYS', { default: 90, min: 1, max: 3_650 }),
  ...hashingConfig,
}

export type Config = ConfigOf<typeof schema>

/** Throws ConfigError with every fault. */
export function readConfig(env: NodeJS.ProcessEnv = process.env): Config {
  return loadConfig(schema, env)
}
