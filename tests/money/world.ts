import { inboxSchema } from '@halles/kit/inbox'
import { outboxSchema } from '@halles/kit/outbox'
import { parts } from '../../stack/src/topology.ts'
import { createCarts } from './carts.ts'
import { openClock } from './clock.ts'
import { openProvider } from './provider.ts'
import { createSchedule } from './schedule.ts'
import { connectServices } from './services.ts'

export type World = Awaited<ReturnType<typeof openWorld>>

const migrationsOf = (service: string) =>
  new URL(`../../services/${service}/migrations`, import.meta.url).pathname

// Ids are random, so histories do not meet; what they leave is cleared before it slows the next.
const historiesPerEpoch = 150

/** What the provider is asked to tell on the running stack. */
function subscribedTypes(): string[] {
  const platform = { port: 0, secrets: {}, dataFolder: '' } as Parameters<
    NonNullable<(typeof parts)[number]['settings']>
  >[0]
  const sandbox = parts.find(({ name }) => name === 'stripe-sandbox')
  return sandbox?.settings?.(platform, () => 0).WEBHOOK_EVENTS?.split(',') ?? []
}

/** Three services on real databases and the provider, for one history after the other. */
export async function openWorld() {
  const { clock, databases } = await openClock({
    orders: { directory: migrationsOf('orders'), schemas: [outboxSchema] },
    payments: { directory: migrationsOf('payments') },
    products: { directory: migrationsOf('products'), schemas: [outboxSchema, inboxSchema] },
  })
  const provider = await openProvider(clock, subscribedTypes())
  const schedule = createSchedule()
  const carts = createCarts()
  const connected = { schedule, clock, databases, providerUrl: provider.url, carts }
  const services = connectServices(connected)
  let histories = 0

  async function wipe(): Promise<void> {
    await Promise.all([
      databases.orders.database.pool.query('truncate checkouts, orders, order_timeline, outbox'),
      databases.payments.database.pool.query('truncate payments, provider_events, findings'),
      databases.products.database.pool.query(
        'truncate products, variants, price_history, reservations, reservation_lines, outbox, inbox cascade',
      ),
    ])
    provider.reset()
    await clock.reset()
  }

  return {
    clock,
    provider,
    schedule,
    carts,
    services,
    databases,
    wipe,
    /** Makes room for the next history. */
    async begin() {
      carts.clear()
      schedule.clear()
      provider.reset()
      histories += 1
      if (histories % historiesPerEpoch === 0) await wipe()
      // Far enough from what came before for every window that anybody looks at.
      else await clock.advance(86_400_000)
    },
    async close() {
      services.close()
      await provider.close()
      await Promise.all(Object.values(databases).map((each) => each.drop()))
    },
  }
}
