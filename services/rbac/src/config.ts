import { type ConfigOf, loadConfig, optional, serviceConfig, text } from '@halles/kit/config'
import { isUuid } from '@halles/kit/ids'

const schema = {
  ...serviceConfig,
  /** Who becomes administrator when a database is new. */
  adminSubjectId: optional({ ...text('ADMIN_SUBJECT_ID'), parse: parseSubjectId }),
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
