import { integer, list, loadConfig, optional, port, secret, text, url } from '@halles/kit/config'
import { defaultPaymentMethods, type SandboxOptions } from './app.ts'

const protocols = ['http:', 'https:']

const schema = {
  host: text('HOST', { default: '127.0.0.1' }),
  port: port('PORT'),
  dataDir: text('DATA_DIR'),
  apiKey: secret('STRIPE_API_KEY', { minLength: 16 }),
  webhookUrl: optional(url('WEBHOOK_URL', { protocols })),
  webhookSecret: secrets('WEBHOOK_SECRET', { minLength: 16 }),
  webhookEvents: optional(list('WEBHOOK_EVENTS')),
  publicUrl: optional(url('PUBLIC_URL', { protocols })),
  retryScheduleMs: optional(milliseconds('RETRY_SCHEDULE_MS')),
  webhookTimeoutMs: optional(integer('WEBHOOK_TIMEOUT_MS', { min: 100, max: 60_000 })),
  minimumSessionSeconds: optional(integer('MINIMUM_SESSION_SECONDS', { min: 1, max: 86_400 })),
  paymentMethods: optional(paymentMethods('PAYMENT_METHODS')),
  bankDelayMs: optional(integer('BANK_DELAY_MS', { min: 0, max: 86_400_000 })),
  authorizationMs: optional(integer('AUTHORIZATION_MS', { min: 1, max: 31_536_000_000 })),
  maxObjects: optional(integer('MAX_OBJECTS', { min: 1_000, max: 100_000_000 })),
  maxEvents: optional(integer('MAX_EVENTS', { min: 1_000, max: 100_000_000 })),
}

/** Reads the environment; throws ConfigError with all faults. */
export function loadSandboxConfig(env: NodeJS.ProcessEnv = process.env): SandboxOptions {
  return loadConfig(schema, env)
}

/** One secret, or two with a comma between them while one replaces the other. */
function secrets(variable: string, limits: { minLength: number }) {
  const { parse } = list(variable)
  const each = secret(variable, limits)
  return {
    variable,
    parse: (value: string) => {
      const [first, ...more] = parse(value)
      return [first ?? '', ...more].map((item) => each.parse(item))
    },
  }
}

function paymentMethods(variable: string) {
  const { parse } = list(variable)
  return {
    variable,
    parse: (value: string) =>
      parse(value).map((item) => {
        const type = defaultPaymentMethods.find((each) => each === item)
        if (type !== undefined) return type
        throw new Error(`can hold ${defaultPaymentMethods.join(', ')}.`)
      }),
  }
}

function milliseconds(variable: string) {
  const { parse } = list(variable)
  return {
    variable,
    parse: (value: string) => parse(value).map((item) => integer(variable).parse(item)),
  }
}
