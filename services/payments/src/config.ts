import {
  addressList,
  type ConfigOf,
  list,
  loadConfig,
  optional,
  secret,
  serviceConfig,
  text,
  url,
} from '@halles/kit/config'

const webhookSecrets = list('STRIPE_WEBHOOK_SECRET')
// Stripe's own are longer; the bound only catches a variable that was cut or mixed up.
const minSecretLength = 16

const schema = {
  ...serviceConfig,
  rbacUrls: addressList('RBAC_URLS', 'http'),
  ordersGrpc: addressList('ORDERS_GRPC', 'grpc'),
  publicUrl: url('PUBLIC_URL', { protocols: ['http:', 'https:'] }),
  stripeApiKey: secret('STRIPE_API_KEY', { minLength: minSecretLength }),
  /** Several, separated by commas, while one replaces another. */
  stripeWebhookSecrets: {
    ...webhookSecrets,
    parse(value: string): readonly string[] {
      const secrets = webhookSecrets.parse(value)
      if (secrets.length === 0 || secrets.some(({ length }) => length < minSecretLength)) {
        throw new Error(`must be secrets of at least ${minSecretLength} characters.`)
      }
      return secrets
    },
  },
  /** Whether money is taken at once, or held until an order is fulfilled. */
  captureMethod: text('CAPTURE_METHOD', { default: 'automatic', oneOf: ['automatic', 'manual'] }),
  stripeApiBase: optional(url('STRIPE_API_BASE', { protocols: ['http:', 'https:'] })),
}

export type Config = ConfigOf<typeof schema>

/** Throws ConfigError with every fault. */
export function readConfig(env: NodeJS.ProcessEnv = process.env): Config {
  return loadConfig(schema, env)
}
