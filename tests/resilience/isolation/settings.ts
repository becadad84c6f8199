/** What the stacks of these tests are told. */
export const settings = {
  // One machine plays a crowd; limits and the life of tokens are tested elsewhere.
  HALLES_GATEWAY_RATE_LIMIT_FACTOR: '0',
  HALLES_AUTH_ACCESS_TOKEN_SECONDS: '3600',
  // The provider comes back soon, or every row would wait for it.
  HALLES_STRIPE_SANDBOX_RETRY_SCHEDULE_MS: Array.from({ length: 40 }, () => 2_000).join(','),
  DEMO_CATALOGUE: 'false',
  LOG_LEVEL: 'warn',
}
