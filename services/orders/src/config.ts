import { type ConfigOf, list, loadConfig, secret, serviceConfig } from '@halles/kit/config'

const schema = {
  ...serviceConfig,
  rbacUrls: list('RBAC_URLS'),
  cartsGrpc: list('CARTS_GRPC'),
  productsGrpc: list('PRODUCTS_GRPC'),
  paymentsGrpc: list('PAYMENTS_GRPC'),
  orderTokenSecret: secret('ORDER_TOKEN_SECRET'),
}

export type Config = ConfigOf<typeof schema>

/** Throws ConfigError with every fault. */
export function readConfig(env: NodeJS.ProcessEnv = process.env): Config {
  return loadConfig(schema, env)
}
