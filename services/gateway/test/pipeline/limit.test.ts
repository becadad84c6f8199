import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rates } from '@halles/contracts/gen/routing'
import { commonHeaders } from '../../src/answer.ts'
import { createRateStep } from '../../src/pipeline/limit.ts'
import type { RateDecision } from '../../src/rate-limit.ts'
import { anExchange } from './exchange.ts'

const allowed: RateDecision = { isAllowed: true, remaining: 19, resetSeconds: 1 }
const refused: RateDecision = { isAllowed: false, remaining: 0, resetSeconds: 7 }

type Limit = Parameters<typeof createRateStep<keyof typeof rates>>[0]['limit']

function aStep(limit: Limit, factor = 1) {
  const limited: string[] = []
  const step = createRateStep({ rates, factor, limit, onLimited: (name) => limited.push(name) })
  return { step, limited }
}

function headersOf(exchange: ReturnType<typeof anExchange>): Record<string, string | undefined> {
  const flat = commonHeaders(exchange)
  return Object.fromEntries(flat.flatMap((name, n) => (n % 2 === 0 ? [[name, flat[n + 1]]] : [])))
}

test('an answer tells the policy of its class and what is left of it', () => {
  const asked: unknown[] = []
  const { step } = aStep((...question) => {
    asked.push(question)
    return allowed
  })
  const exchange = anExchange()
  assert.equal(step(exchange, 'sign-in'), undefined, 'there is nothing to wait for')
  assert.deepEqual(asked, [['203.0.113.7', 'sign-in']])
  const headers = headersOf(exchange)
  assert.equal(headers['ratelimit-policy'], '"sign-in";q=20;w=10')
  assert.equal(headers.ratelimit, '"sign-in";r=19;t=1')
})

test('the policy that is told is the one that is kept', () => {
  const exchange = anExchange()
  aStep(() => allowed, 100).step(exchange, 'read')
  assert.equal(headersOf(exchange)['ratelimit-policy'], '"read";q=40000;w=4')
})

test('past the rate a request is refused with the seconds to wait, and counted', () => {
  const { step, limited } = aStep(() => refused)
  const exchange = anExchange()
  assert.throws(() => step(exchange, 'webhook'), {
    kind: 'too-many',
    code: 'RATE_LIMITED',
    retryAfterSeconds: 7,
  })
  assert.deepEqual(limited, ['webhook'])
  assert.equal(headersOf(exchange).ratelimit, '"webhook";r=0;t=7', 'the refusal tells it too')
})

test('a count that is kept elsewhere is waited for', async () => {
  const { step, limited } = aStep(async () => refused)
  await assert.rejects(async () => step(anExchange(), 'sign-up'), { code: 'RATE_LIMITED' })
  assert.deepEqual(limited, ['sign-up'])
  const exchange = anExchange()
  await aStep(async () => allowed).step(exchange, 'sign-up')
  assert.equal(exchange.rate?.decision, allowed)
})

test('without limits nothing is said of them', () => {
  const exchange = anExchange()
  aStep(() => undefined, 0).step(exchange, 'read')
  assert.equal(headersOf(exchange).ratelimit, undefined)
})
