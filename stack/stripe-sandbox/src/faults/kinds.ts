import { invalid } from '../errors.ts'
import type { FormObject } from '../form.ts'
import { readParameters } from '../parameters.ts'

/** What can go wrong with a call of the API or a post of the hosted page. */
export const apiKinds = [
  'delay',
  'error_before',
  'error_after',
  'sticky_error_after',
  'reset_before',
  'reset_after',
  'timeout_after',
  'rate_limit',
  'lock_timeout',
  'idempotency_in_use',
  'decline',
] as const

/** What can go wrong with a delivery of a webhook. */
export const webhookKinds = [
  'delay',
  'reorder',
  'duplicate',
  'drop',
  'lose',
  'lose_answer',
  'wrong_signature',
  'stale_timestamp',
] as const

export type ApiKind = (typeof apiKinds)[number]
export type WebhookKind = (typeof webhookKinds)[number]

type Terms = {
  /** An operation or an event type; `refunds.*` and `*` name several. */
  match: string
  /** How often it strikes; null: until it is switched off. */
  count: number | null
  /** How many matches are let pass first. */
  skip: number
  probability: number
  /** Makes the dice of `probability` and `reorder` fall the same way each time. */
  seed: number
  delayMs: number
  status: number
  copies: number
  shouldRetry: boolean | null
  retryAfterSeconds: number | null
}

export type FaultSpec = Terms &
  ({ target: 'api'; kind: ApiKind } | { target: 'webhook'; kind: WebhookKind })

// Longer than any patience that a test should have.
const maxDelayMs = 600_000
const defaultDelays: { [kind: string]: number } = {
  // Past the ten minutes' tolerance that some receivers have, and the SDK's five.
  stale_timestamp: 900_000,
  delay: 1_000,
  reorder: 1_000,
  timeout_after: 60_000,
}

/** Reads a fault as the inspection API takes it; throws ApiError when it makes no sense. */
export function parseFault(form: FormObject): FaultSpec {
  const parameters = readParameters(form)
  const targets = ['api', 'webhook'] as const
  const target = parameters.required('target', parameters.oneOf('target', targets))
  const kind =
    target === 'api'
      ? { target, kind: parameters.required('kind', parameters.oneOf('kind', apiKinds)) }
      : { target, kind: parameters.required('kind', parameters.oneOf('kind', webhookKinds)) }
  const integer = (name: string, min: number, max: number) => parameters.integer(name, { min, max })
  const retry = parameters.oneOf('should_retry', ['true', 'false'])
  const spec = {
    ...kind,
    match: parameters.text('match') ?? '*',
    count: integer('count', 1, 1_000_000) ?? null,
    skip: integer('skip', 0, 1_000_000) ?? 0,
    probability: parseProbability(parameters.text('probability')),
    seed: integer('seed', 0, 4_294_967_295) ?? 1,
    delayMs: integer('delay_ms', 0, maxDelayMs) ?? defaultDelays[kind.kind] ?? 0,
    status: integer('status', 500, 599) ?? 500,
    copies: integer('copies', 1, 20) ?? 1,
    shouldRetry: retry === undefined ? null : retry === 'true',
    retryAfterSeconds: integer('retry_after', 0, 3_600) ?? null,
  }
  parameters.finish()
  return spec
}

function parseProbability(text: string | undefined): number {
  const value = text === undefined ? 1 : Number(text)
  if (value > 0 && value <= 1) return value
  throw invalid('A probability is more than 0 and at most 1.', { param: 'probability' })
}
