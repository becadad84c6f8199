import { sql } from '@halles/kit/database'
import { AppError } from '@halles/kit/errors'
import { uuidv7 } from '@halles/kit/ids'
import { createTestDatabase } from '@halles/kit/testing'
import type { Settlement } from '../src/domain/events.ts'
import type { Payment } from '../src/domain/payment.ts'
import type { Deps } from '../src/ports.ts'
import { createEventStore } from '../src/store/events.ts'
import { createFindingStore } from '../src/store/findings.ts'
import { createPaymentStore } from '../src/store/payments.ts'
import { anEvent, fakeOrders, fakeProvider, someTerms, testDeps } from './fixtures.ts'

const missing = () => new Error('there is no such row')
const selectEvent = sql(
  'test.event',
  'select outcome, attempts, last_failure as "lastFailure" from provider_events where id = $1',
)

/** The use cases on a real database, a provider in memory and orders that say what the test wants. */
export async function openUseCases() {
  const { database, drop } = await createTestDatabase({
    directory: new URL('../migrations', import.meta.url).pathname,
  })
  const stores = {
    payments: createPaymentStore(database),
    events: createEventStore(database),
    findings: createFindingStore(database),
  }

  function setUp(answer?: (payment: Payment) => Settlement | AppError) {
    const fake = { ...fakeProvider(), ...fakeOrders(answer) }
    const orderId = uuidv7()
    const deps = testDeps(stores, fake)
    const terms = { orderId, provider: 'stripe' as const, ...someTerms() }
    const paymentOf = async (id = orderId) => {
      const payment = await stores.payments.findByOrder(id)
      if (!payment) throw missing()
      return payment
    }
    /** The provider's news of the order's payment, complete or to be asked for. */
    async function aNotice({ isComplete = true } = {}) {
      const { id: paymentId, session } = await paymentOf()
      const intentId = fake.intentOf(orderId)
      const sessionId = session?.id ?? null
      const ids = { orderId, paymentId, sessionId, intentId }
      const amount = terms.amount
      const seen = isComplete ? { state: fake.stateOf(orderId), amount, intentId } : null
      return anEvent({ ...ids, seen })
    }
    return { ...fake, orderId, deps, terms, paymentOf, aNotice }
  }

  const eventOf = ({ id }: { id: string }) =>
    database.one<{ outcome: string; attempts: number; lastFailure: string }>(
      selectEvent,
      [id],
      missing,
    )
  return { database, drop, stores, setUp, eventOf }
}

type Port = Record<string, unknown>

/**
 * The same ports, of which the call of that number never begins, or is made and its answer lost, as
 * when the process is killed around it. `calls` tells how many there were.
 */
export function crashing(deps: Deps, crashAt: number, when: 'before' | 'after') {
  let calls = 0
  const killed = () => new AppError('unavailable', 'KILLED', 'The process was killed.')
  const wrap = <P>(port: P): P =>
    Object.fromEntries(
      Object.entries(port as Port).map(([name, call]) => [
        name,
        typeof call !== 'function' || name === 'verifyEvent'
          ? call
          : async (...values: unknown[]) => {
              calls += 1
              const isCrash = calls === crashAt
              if (isCrash && when === 'before') throw killed()
              const result = await call(...values)
              if (isCrash) throw killed()
              return result
            },
      ]),
    ) as P
  const { stripe, ...others } = deps.providers
  const wrapped: Deps = {
    ...deps,
    providers: { ...others, stripe: wrap(stripe) },
    orders: wrap(deps.orders),
    payments: wrap(deps.payments),
    events: wrap(deps.events),
  }
  return { deps: wrapped, calls: () => calls }
}
