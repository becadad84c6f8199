import { address, priceChanged } from '@halles/contracts/gen/messages/products'
import { uuidv7 } from '@halles/kit/ids'
import { openMessages } from '../e2e/messages.ts'
import type { StackUnderTest } from '../e2e/stack-under-test.ts'

/** An event with data that nobody can apply, of a product that nobody has; returns its subject. */
export async function publishPoison(stack: StackUnderTest, data: object): Promise<string> {
  const productId = uuidv7()
  const messages = openMessages(stack, 'products')
  try {
    const message = {
      ...({ specversion: '1.0', datacontenttype: 'application/json' } as const),
      ...{ id: uuidv7(), source: '/halles/products', type: priceChanged.type },
      ...{ subject: productId, partitionkey: productId, time: new Date().toISOString() },
      data: { productId, ...data },
    }
    await messages.publisher.publish([{ address, message }])
  } finally {
    await messages.stop()
  }
  return productId
}
