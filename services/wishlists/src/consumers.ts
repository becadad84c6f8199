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
// All four carry the product's whole state; the type only says what is new in it.
const productTypes = [productChanged, priceChanged, availabilityChanged, productRemoved]

export function consumeMessages(messaging: Messaging, deps: Deps): void {
  messaging.subscribeTopic({
    topic: address.name,
    group,
    from: 'start',
    handler: createDispatcher(
      productTypes.map((type) => on(type, (product) => applyProduct(deps, product))),
      { unknown: 'ignore' },
    ),
  })
}

export function createProductFeed(messaging: Messaging): ProductFeed {
  return {
    replay: (apply) =>
      messaging.replayTopic({
        topic: address.name,
        handler: createDispatcher(
          productTypes.map((type) => on(type, apply)),
          { unknown: 'ignore' },
        ),
      }),
  }
}
