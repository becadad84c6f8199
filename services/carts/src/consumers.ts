import { orderPaid, address as ordersTopic } from '@halles/contracts/gen/messages/orders'
import {
  availabilityChanged,
  priceChanged,
  productChanged,
  productRemoved,
  address as productsTopic,
} from '@halles/contracts/gen/messages/products'
import { createDispatcher, on } from '@halles/kit/consumer'
import type { Messaging } from '@halles/kit/messaging'
import type { Deps, ProductFeed } from './ports.ts'
import { applyProduct, removeBoughtLines } from './use-cases.ts'

const group = 'carts'
// All four carry the product's whole state; the type only says what is new in it.
const productTypes = [productChanged, priceChanged, availabilityChanged, productRemoved]

export function consumeMessages(messaging: Messaging, deps: Deps): void {
  messaging.subscribeTopic({
    topic: productsTopic.name,
    group,
    from: 'start',
    handler: createDispatcher(
      productTypes.map((type) => on(type, (product) => applyProduct(deps, product))),
      { unknown: 'ignore' },
    ),
  })
  messaging.subscribeTopic({
    topic: ordersTopic.name,
    group,
    from: 'start',
    handler: createDispatcher(
      [
        on(orderPaid, ({ cartId, lines }, { message }) =>
          removeBoughtLines(deps, { messageId: message.id, cartId, lines }),
        ),
      ],
      { unknown: 'ignore' },
    ),
  })
}

export function createProductFeed(messaging: Messaging): ProductFeed {
  return {
    replay: (apply) =>
      messaging.replayTopic({
        topic: productsTopic.name,
        handler: createDispatcher(
          productTypes.map((type) => on(type, apply)),
          { unknown: 'ignore' },
        ),
      }),
  }
}
