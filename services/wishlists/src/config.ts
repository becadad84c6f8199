import { type ConfigOf, loadConfig, serviceConfig } from '@halles/kit/config'

export type Config = ConfigOf<typeof serviceConfig>

export function readConfig(env?: NodeJS.ProcessEnv): Config {
  return loadConfig(serviceConfig, env)
}
