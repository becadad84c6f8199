import type { Part } from './topology.ts'

/** The web server of shop, office and console: it knows the gateways and nobody else. */
export const webPart: Part = {
  name: 'web',
  entry: 'apps/web/src/main.ts',
  database: 'web',
  listens: ['http', 'metrics'],
  // With the gateways: each asks the other for what is under way.
  stage: 3,
  settings: ({ publicUrl, stripe, secrets }, portOf) => ({
    PUBLIC_URL: publicUrl,
    SESSION_SECRET: secrets.sessionSecret,
    ...(stripe ? {} : { PAYMENT_ORIGINS: `http://localhost:${portOf('stripe-sandbox')}` }),
  }),
}
