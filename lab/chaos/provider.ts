import type { StackUnderTest } from '../../tests/e2e/stack-under-test.ts'
import { askUntilAnswered } from './patience.ts'

export type Ledger = { currency: string; captured: number; refunded: number }
export type Intent = { id: string; status: string; metadata: { order_id?: string } }
type Page<T> = { data: T[]; has_more: boolean }

/** The card sandbox: what it does wrong, and what its own books say. */
export type ProviderUnderTest = {
  breakThings(seed: number): Promise<void>
  behave(): Promise<void>
  isQuiet(): Promise<boolean>
  ledger(): Promise<Ledger[]>
  intents(): Promise<Intent[]>
}

// What happens to real shops, more often: a sixth of the webhooks goes wrong, and one call in thirty.
const faults = [
  { target: 'webhook', kind: 'duplicate', probability: 0.05, delay_ms: 300 },
  { target: 'webhook', kind: 'delay', probability: 0.05, delay_ms: 2_000 },
  { target: 'webhook', kind: 'drop', probability: 0.04 },
  { target: 'webhook', kind: 'lose_answer', probability: 0.03 },
  { target: 'api', kind: 'error_after', probability: 0.01 },
  { target: 'api', kind: 'reset_after', probability: 0.01 },
  { target: 'api', kind: 'error_before', probability: 0.01 },
] as const

export function createProvider(stack: StackUnderTest): ProviderUnderTest {
  const { stripeApiKey } = stack.readJson('secrets.json') as { stripeApiKey: string }
  const port = () => stack.processes('stripe-sandbox')[0]?.ports.http

  async function ask<T>(path: string, method = 'GET', body?: object): Promise<T> {
    const answer = await askUntilAnswered(async () => {
      const response = await fetch(`http://127.0.0.1:${port()}${path}`, {
        method,
        headers: { authorization: `Bearer ${stripeApiKey}`, 'content-type': 'application/json' },
        ...(body && { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(20_000),
      })
      return { status: response.status, headers: response.headers, body: await response.json() }
    })
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${JSON.stringify(answer.body)}`)
    return answer.body as T
  }

  return {
    async breakThings(seed) {
      for (const fault of faults) {
        // The shopper's page is left alone: what the shopper sees is not the question here.
        const match = fault.target === 'api' ? { match: 'checkout.*' } : {}
        await ask('/_sandbox/faults', 'POST', { ...fault, ...match, seed })
      }
    },
    async behave() {
      await ask('/_sandbox/faults', 'DELETE')
    },
    async isQuiet() {
      const { deliveries, inFlight } = await ask<{
        deliveries: { waiting?: number }
        inFlight: number
      }>('/_sandbox/state')
      return (deliveries.waiting ?? 0) === 0 && inFlight === 0
    },
    ledger: async () => (await ask<{ ledger: Ledger[] }>('/_sandbox/ledger')).ledger,
    async intents() {
      const all: Intent[] = []
      for (let after = ''; ; ) {
        const page = await ask<Page<Intent>>(`/v1/payment_intents?limit=100${after}`)
        all.push(...page.data)
        if (!page.has_more) return all
        after = `&starting_after=${all.at(-1)?.id}`
      }
    },
  }
}
