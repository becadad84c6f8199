import { after, describe } from 'node:test'
import { createSlowProxy, type SlowProxy } from '../../../stack/src/slow-proxy.ts'
import { createShop } from '../../e2e/shop.ts'
import { startOwnPostgres } from '../own-postgres.ts'
import { type Breakable, faults, frozen, killed, stopped } from './faults.ts'
import { createTrials, type Row } from './isolation.ts'
import { services } from './pages.ts'
import { createCrowds, stackPart } from './rows.ts'
import { settings } from './settings.ts'
import { newCustomer, newPriceInCart, oneOrder, told } from './stories.ts'

// Whoever still holds a connection when the tests are over is cut off.
const closeMs = 1_000

let door: SlowProxy | undefined
const own = await startOwnPostgres({ carts: 'carts' }, async (port) => {
  door = await createSlowProxy(port, 0)
  return door.port
})

const ownPart: Breakable = {
  stop: () => own.postgres.stop(),
  start: () => own.postgres.start(),
  kill: own.kill,
  returns: async () => undefined,
  freeze: async () => own.postgres.freeze(own.postgres.serverPid()),
  thaw: async () => own.postgres.thaw(),
  slow: async (byMs) => door?.delay(byMs),
}

describe('The shop while a PostgreSQL is away or late:', () => {
  const shop = createShop({ ...settings, ...own.settings })
  const crowds = createCrowds(shop)
  const trials = createTrials(shop, { prepare: crowds.open })
  after(async () => {
    await door?.close(closeMs)
    await own.stop()
  })

  const one: Row = {
    name: 'the PostgreSQL of carts',
    goesOn: 'as if carts were, the rest of the shop works, and nothing is restarted',
    parts: [],
    breaks: ['carts'],
    part: ownPart,
    crowd: crowds.of('carts'),
    story: told(newPriceInCart, oneOrder),
  }
  for (const fault of faults) trials.endures(one, fault)

  const shared: Row = {
    name: 'the PostgreSQL of all other services',
    goesOn: 'the catalogue is served, carts work, and nothing is restarted',
    parts: ['postgres'],
    breaks: services.filter((service) => service !== 'carts'),
    part: stackPart(shop.stack, 'postgres'),
    crowd: crowds.of('customers'),
    story: told(newCustomer, oneOrder),
  }
  for (const fault of [stopped, killed, frozen]) trials.endures(shared, fault)
})
