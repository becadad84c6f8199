import {
  address,
  availabilityChanged,
  priceChanged,
  productChanged,
  productRemoved,
} from '@halles/contracts/gen/messages/products'
import { createDispatcher, on } from '@halles/kit/consumer'
import type { Messaging } from '@halles/kit/messaging'
import type { Deps, ProductFeed } from './ports.ts'
import { applyProduct } from './use-cases.ts'

const group = 'wishlists'

export function consumeMessages(messaging: Messaging, deps: Deps): void {
  // All four carry the product's whole state; the type only says what is new in it.
  const types = [productChanged, priceChanged, availabilityChanged, productRemoved]
  messaging.subscribeTopic({
    topic: address.name,
    group,
    from: 'start',
    handler: createDispatcher(
      types.map((type) => on(type, (product) => applyProduct(deps, product))),
      { unknown: 'ignore' },
    ),
  })
}

export function createProductFeed(messaging: Messaging): ProductFeed {
  return { restart: () => messaging.resetGroup(address.name, group) }
}
