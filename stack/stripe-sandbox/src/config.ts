import { integer, list, loadConfig, optional, port, secret, text, url } from '@halles/kit/config'
import type { SandboxOptions } from './app.ts'

const protocols = ['http:', 'https:']

const schema = {
  host: text('HOST', { default: '127.0.0.1' }),
  port: port('PORT'),
  dataDir: text('DATA_DIR'),
  apiKey: secret('STRIPE_API_KEY', { minLength: 16 }),
  webhookUrl: optional(url('WEBHOOK_URL', { protocols })),
  webhookSecret: secret('WEBHOOK_SECRET', { minLength: 16 }),
  webhookEvents: optional(list('WEBHOOK_EVENTS')),
  publicUrl: optional(url('PUBLIC_URL', { protocols })),
  retryScheduleMs: optional(milliseconds('RETRY_SCHEDULE_MS')),
  webhookTimeoutMs: optional(integer('WEBHOOK_TIMEOUT_MS', { min: 100, max: 60_000 })),
  minimumSessionSeconds: optional(integer('MINIMUM_SESSION_SECONDS', { min: 1, max: 86_400 })),
}

/** Reads the environment; throws ConfigError with all faults. */
export function loadSandboxConfig(env: NodeJS.ProcessEnv = process.env): SandboxOptions {
  return loadConfig(schema, env)
}

function milliseconds(variable: string) {
  const { parse } = list(variable)
  return {
    variable,
    parse: (value: string) => parse(value).map((item) => integer(variable).parse(item)),
  }
}
