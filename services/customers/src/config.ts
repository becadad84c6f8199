import {
  addressList,
  type ConfigOf,
  hashingConfig,
  loadConfig,
  optional,
  secret,
  serviceConfig,
  text,
} from '@halles/kit/config'
import { isUuid } from '@halles/kit/ids'
import { sealingKey } from '@halles/kit/sealing-keys'

const schema = {
  ...serviceConfig,
  rbacUrls: addressList('RBAC_URLS', 'http'),
  /** The first administrator, created at the first start when all three are there. */
  adminSubjectId: optional({ ...text('ADMIN_SUBJECT_ID'), parse: parseSubjectId }),
  adminEmail: optional(text('ADMIN_EMAIL')),
  adminPassword: optional(secret('ADMIN_PASSWORD', { minLength: 8 })),
  /** What e-mail and hash are encrypted under on their way to auth; auth has the private part. */
  credentialsPublicKey: sealingKey('CREDENTIALS_PUBLIC_KEY'),
  ...hashingConfig,
}

export type Config = ConfigOf<typeof schema>

/** Throws ConfigError with every fault. */
export function readConfig(env: NodeJS.ProcessEnv = process.env): Config {
  return loadConfig(schema, env)
}

function parseSubjectId(value: string): string {
  if (!isUuid(value)) throw new Error('must be a UUID.')
  return value.toLowerCase()
}
