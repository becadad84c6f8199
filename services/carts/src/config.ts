import { type ConfigOf, integer, loadConfig, port, serviceConfig } from '@halles/kit/config'

const schema = {
  ...serviceConfig,
  grpcPort: port('GRPC_PORT', { default: 0 }),
  /** Event streams that one process serves at once; each holds a socket. */
  maxStreams: integer('MAX_STREAMS', { default: 1_000, min: 1, max: 10_000 }),
}

export type Config = ConfigOf<typeof schema>

export function readConfig(env?: NodeJS.ProcessEnv): Config {
  return loadConfig(schema, env)
}
