import { after, before, describe } from 'node:test'
import { badInput } from './scenarios/bad-input.ts'
import { cards } from './scenarios/cards.ts'
import { competition } from './scenarios/competition.ts'
import { crashes } from './scenarios/crashes.ts'
import { customerJourney } from './scenarios/customer.ts'
import { gatewayLoss } from './scenarios/gateway-loss.ts'
import { guestJourney } from './scenarios/guest.ts'
import { operator } from './scenarios/operator.ts'
import { passwordChange } from './scenarios/password-change.ts'
import { staffJourney } from './scenarios/staff.ts'
import { webhooks } from './scenarios/webhooks.ts'
import { createShop } from './shop.ts'

describe('The running shop, through its gateway', () => {
  // Scenarios are in a hurry on purpose; the limits themselves are tested in the gateway.
  const shop = createShop({ HALLES_GATEWAY_RATE_LIMIT_FACTOR: '0' })
  before(() => shop.stack.start())
  after(() => shop.stack.stop())

  guestJourney(shop)
  customerJourney(shop)
  cards(shop)
  staffJourney(shop)
  webhooks(shop)
  competition(shop)
  badInput(shop)
  passwordChange(shop)
  operator(shop)
  gatewayLoss(shop)
  crashes(shop)
})
