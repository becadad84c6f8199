import { flag, integer, list, loadConfig, serviceConfig, url } from '@halles/kit/config'

const { databaseUrl: _none, grpcPort: _unused, ...common } = serviceConfig

const schema = {
  ...common,
  port: integer('PORT', { default: 8080, max: 65_535 }),
  /** Several gateway processes share the port (SO_REUSEPORT); the kernel spreads connections. */
  reusePort: flag('REUSE_PORT', { default: false }),
  publicUrl: url('PUBLIC_URL', { default: 'http://localhost:8080' }),
  authUrls: list('AUTH_URLS'),
  rbacUrls: list('RBAC_URLS'),
  customersUrls: list('CUSTOMERS_URLS'),
  productsUrls: list('PRODUCTS_URLS'),
  wishlistsUrls: list('WISHLISTS_URLS'),
  cartsUrls: list('CARTS_URLS'),
  ordersUrls: list('ORDERS_URLS'),
  paymentsUrls: list('PAYMENTS_URLS'),
  // Longer than any service takes when it is well, shorter than a person's or a provider's patience.
  upstreamDeadlineMs: integer('UPSTREAM_DEADLINE_MS', { default: 10_000, min: 100, max: 60_000 }),
  cacheBytes: integer('CACHE_BYTES', { default: 64 * 1024 * 1024, min: 1_048_576 }),
  /** Multiplies the rates of contracts/rates.yaml; 0 switches the limits off. */
  rateLimitFactor: integer('RATE_LIMIT_FACTOR', { default: 1, min: 0, max: 10_000 }),
}

/** Reads the gateway's configuration. Throws ConfigError with every fault. */
export function loadGatewayConfig(env?: NodeJS.ProcessEnv) {
  return loadConfig(schema, env)
}

export type GatewayConfig = ReturnType<typeof loadGatewayConfig>
