import {
  addressList,
  type ConfigOf,
  integer,
  list,
  loadConfig,
  serviceConfig,
  text,
  url,
} from '@halles/kit/config'
import { rotatingSecret } from '@halles/kit/rotating-secrets'

const { host, port, metricsPort, logLevel, instanceId, databaseUrl, drainQuietMs } = serviceConfig

const schema = {
  ...{ host, port, metricsPort, logLevel, instanceId, databaseUrl, drainQuietMs },
  /** The shop's address as browsers see it; cookies are `Secure` where it is https. */
  publicUrl: url('PUBLIC_URL', { default: 'http://localhost:8080' }),
  /** Gateways: the only part of the platform that this process talks to. */
  apiUrls: addressList('API_URLS', 'http'),
  /** Encrypts the tokens at rest; the same in all replicas. */
  sessionSecret: rotatingSecret('SESSION_SECRET'),
  /** Where paying leads: a form may end up there. */
  paymentOrigins: list('PAYMENT_ORIGINS', { default: ['https://checkout.stripe.com'] }),
  /** What `npm run build -w apps/web` made. */
  buildFolder: text('BUILD_FOLDER', { default: 'dist/apps/web/build' }),
  // Longer than the gateway's own limit, so that its answer, which knows why, arrives first.
  apiDeadlineMs: integer('API_DEADLINE_MS', { default: 12_000, min: 100, max: 60_000 }),
}

export type Config = ConfigOf<typeof schema>

/** Reads the configuration. Throws ConfigError with every fault. */
export function readConfig(env?: NodeJS.ProcessEnv): Config {
  return loadConfig(schema, env)
}
