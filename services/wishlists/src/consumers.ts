import {
  address,
  availabilityChanged,
  priceChanged,
  productChanged,
  productRemoved,
} from '@halles/contracts/gen/messages/products'
import { createDispatcher, on } from '@halles/kit/consumer'
import { AppError } from '@halles/kit/errors'
import type { Logger } from '@halles/kit/logging'
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

export function createProductFeed(messaging: Messaging, logger: Logger): ProductFeed {
  return {
    replay(apply, signal) {
      const dispatch = createDispatcher(
        productTypes.map((type) => on(type, apply)),
        { unknown: 'ignore' },
      )
      return messaging.replayTopic({
        topic: address.name,
        ...(signal && { signal }),
        // A compacted topic keeps what cannot be read; it must not stand between us and the rest.
        handler: (delivery) =>
          dispatch(delivery).catch((error: unknown) => {
            if (!(error instanceof AppError && error.code === 'INVALID_MESSAGE')) throw error
            const { id, type } = delivery.message
            logger.warn({ messageId: id, type }, 'A message was passed over by the rebuild.')
          }),
      })
    },
  }
}
