import {
  addressList,
  flag,
  integer,
  list,
  loadConfig,
  optional,
  serviceConfig,
  text,
  url,
} from '@halles/kit/config'
import { toBlockList } from './pipeline/client.ts'
import { parseOrigin } from './pipeline/cors.ts'

const { databaseUrl: _none, grpcPort: _unused, ...common } = serviceConfig

const proxies = list('TRUSTED_PROXIES', { default: [] })
const origins = list('CORS_ORIGINS', { default: [] })

const schema = {
  ...common,
  port: integer('PORT', { default: 8080, max: 65_535 }),
  /** Several gateway processes share the port (SO_REUSEPORT); the kernel spreads connections. */
  reusePort: flag('REUSE_PORT', { default: false }),
  publicUrl: url('PUBLIC_URL', { default: 'http://localhost:8080' }),
  authUrls: addressList('AUTH_URLS', 'http'),
  rbacUrls: addressList('RBAC_URLS', 'http'),
  customersUrls: addressList('CUSTOMERS_URLS', 'http'),
  productsUrls: addressList('PRODUCTS_URLS', 'http'),
  wishlistsUrls: addressList('WISHLISTS_URLS', 'http'),
  cartsUrls: addressList('CARTS_URLS', 'http'),
  ordersUrls: addressList('ORDERS_URLS', 'http'),
  paymentsUrls: addressList('PAYMENTS_URLS', 'http'),
  /** The server of the pages; without it the gateway has a welcome page alone. */
  webUrls: addressList('WEB_URLS', 'http', { default: [] }),
  /** The metrics ports of all gateways, so that each sees the others; alone it knows itself. */
  gatewayMetricsUrls: addressList('GATEWAY_METRICS_URLS', 'http', { default: [] }),
  /** The control socket of the local stack that this gateway is a part of. */
  stackControl: optional(text('STACK_CONTROL')),
  /** Whose word on who the client is counts: balancers, and the web server, which asks for others. */
  trustedProxies: {
    ...proxies,
    parse(value: string) {
      const items = proxies.parse(value)
      toBlockList(items)
      return items
    },
  },
  /** Pages of which other origins may use the API; none when empty. */
  corsOrigins: { ...origins, parse: (value: string) => origins.parse(value).map(parseOrigin) },
  /** The names of the shop, without ports; any when empty, since a shop has many. */
  allowedHosts: list('ALLOWED_HOSTS', { default: [] }),
  maxConnections: integer('MAX_CONNECTIONS', { default: 10_000, min: 16 }),
  /** From one address that is no trusted proxy: a tenth, so that no client shuts out all others. */
  maxConnectionsPerAddress: integer('MAX_CONNECTIONS_PER_ADDRESS', { default: 1_000, min: 1 }),
  headersTimeoutMs: integer('HEADERS_TIMEOUT_MS', { default: 10_000, min: 100 }),
  requestTimeoutMs: integer('REQUEST_TIMEOUT_MS', { default: 30_000, min: 100 }),
  keepAliveTimeoutMs: integer('KEEP_ALIVE_TIMEOUT_MS', { default: 65_000, min: 100 }),
  /** How long a client may take nothing of its answer. */
  stallTimeoutMs: integer('STALL_TIMEOUT_MS', { default: 30_000, min: 100 }),
  /** No route's deadline is longer than this, whatever its contract says. */
  upstreamDeadlineMs: integer('UPSTREAM_DEADLINE_MS', { default: 60_000, min: 100, max: 60_000 }),
  /** What all gateways share: cached answers and rate limits. Without it each has its own. */
  redisUrl: optional(url('REDIS_URL', { protocols: ['redis:', 'rediss:'] })),
  cacheBytes: integer('CACHE_BYTES', { default: 64 * 1024 * 1024, min: 1_048_576 }),
  /** Multiplies the rates of contracts/rates.yaml; 0 switches the limits off. */
  rateLimitFactor: integer('RATE_LIMIT_FACTOR', { default: 1, min: 0, max: 10_000 }),
}

/** Reads the gateway's configuration. Throws ConfigError with every fault. */
export function loadGatewayConfig(env?: NodeJS.ProcessEnv) {
  return loadConfig(schema, env)
}

export type GatewayConfig = ReturnType<typeof loadGatewayConfig>
