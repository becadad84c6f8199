import {
  addressList,
  type ConfigOf,
  loadConfig,
  optional,
  secret,
  serviceConfig,
  text,
  url,
} from '@halles/kit/config'
import { rotatingSecret, secretsIn } from '@halles/kit/rotating-secrets'

// Stripe's own are longer; the bound only catches a variable that was cut or mixed up.
const minSecretLength = 16
const webhookSecret = rotatingSecret('STRIPE_WEBHOOK_SECRET', { minLength: minSecretLength })

const schema = {
  ...serviceConfig,
  rbacUrls: addressList('RBAC_URLS', 'http'),
  ordersGrpc: addressList('ORDERS_GRPC', 'grpc'),
  publicUrl: url('PUBLIC_URL', { protocols: ['http:', 'https:'] }),
  stripeApiKey: secret('STRIPE_API_KEY', { minLength: minSecretLength }),
  stripeWebhookSecrets: {
    variable: webhookSecret.variable,
    parse: (value: string): readonly string[] => secretsIn(webhookSecret.parse(value)),
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
