import { describe } from 'node:test'
import { findPrograms } from '../../../stack/src/brokers/programs.ts'
import { createShop } from '../../e2e/shop.ts'
import { brokersUnderTest } from '../brokers.ts'
import { type Fault, frozen, killed, stopped } from './faults.ts'
import { createTrials, type Row } from './isolation.ts'
import { stackPart } from './rows.ts'
import { settings } from './settings.ts'
import {
  allGatewaysAnswer,
  newPassword,
  newPriceInCart,
  newPriceOfWish,
  nothing,
  type Teller,
  told,
} from './stories.ts'

const { skip, stackArguments } = brokersUnderTest
const withoutHaproxy = findPrograms().haproxy ? false : 'HAProxy is not installed'
// Nobody reaches these through an address that could be moved behind a slow door.
const faults: readonly Fault[] = [stopped, killed, frozen]

describe('The shop on brokers, while one of them or a gateway is away:', () => {
  // Limits that a crowd does not meet, but that gateways count together.
  const limits = { HALLES_GATEWAY_RATE_LIMIT_FACTOR: '100' }
  const shop = createShop({ ...settings, ...limits }, stackArguments)
  const trials = createTrials(shop, { isSkipped: skip !== false })

  const broker = (part: string, name: string, goesOn: string, story: Teller): Row => ({
    ...{ name, goesOn, story, parts: [part], breaks: [] },
    part: stackPart(shop.stack, part),
  })
  const rows = [
    broker('rabbitmq', 'RabbitMQ', 'nobody notices, and a new password waits', newPassword),
    broker(
      'kafka',
      'Kafka',
      'nobody notices, and new prices wait',
      told(newPriceInCart, newPriceOfWish),
    ),
    broker('redis', 'Redis', 'nobody notices, each gateway caches and counts by itself', nothing),
  ]
  for (const row of rows) for (const fault of faults) trials.endures(row, fault, { skip })

  const gateway: Row = {
    name: 'one gateway',
    goesOn: 'no read fails, and it takes its share again',
    parts: ['gateway'],
    breaks: [],
    areReadsAlone: true,
    part: stackPart(shop.stack, 'gateway-1'),
    story: allGatewaysAnswer,
  }
  for (const fault of faults) trials.endures(gateway, fault, { skip: skip || withoutHaproxy })
})
