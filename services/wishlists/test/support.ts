import { fileURLToPath } from 'node:url'
import {
  type ProductState,
  productChanged,
  address as productsTopic,
} from '@halles/contracts/gen/messages/products'
import { createMessage, type MessageContract } from '@halles/contracts/message'
import { AppError } from '@halles/kit/errors'
import { uuidv7 } from '@halles/kit/ids'
import type { DeadLetters } from '@halles/kit/messaging'
import { createPostgresMessaging } from '@halles/kit/messaging/postgres'
import { createTestDatabase, eventually, silentLogger } from '@halles/kit/testing'
import { startTokenAuthority } from '@halles/kit/testing-authority'
import { createApp } from '../src/app.ts'
import { readConfig } from '../src/config.ts'

export const internalSecret = 'a secret of thirty-two characters or more'

export function createWishlistDatabase() {
  return createTestDatabase({
    directory: fileURLToPath(new URL('../migrations', import.meta.url)),
  })
}

export function aProduct(changes: Partial<ProductState> = {}): ProductState {
  const variant = {
    variantId: uuidv7(),
    sku: 'MUG-1',
    title: 'Blue',
    price: { amountMinor: 1250, currency: 'EUR' },
    availability: 'in_stock' as const,
  }
  return {
    productId: uuidv7(),
    version: 1,
    slug: 'mug',
    title: 'Mug',
    status: 'active',
    category: null,
    variants: [variant],
    ...changes,
  }
}

export function variantOf(product: ProductState) {
  const [variant] = product.variants
  if (!variant) throw new Error('The product has no such variant.')
  return variant
}

/** The next version of the product with another price of its first variant. */
export function priced(product: ProductState, amountMinor: number, currency = 'EUR') {
  const [first, ...rest] = product.variants
  if (!first) throw new Error('The product has no variant.')
  const variants = [{ ...first, price: { amountMinor, currency } }, ...rest]
  return { ...product, version: product.version + 1, variants }
}

export type ShownItem = {
  variantId: string
  price: { amountMinor: number }
  priceWhenAdded: { amountMinor: number }
  availability: string
  addedAt: string
}
export type Answer = {
  status: number
  body: ShownItem & {
    items: ShownItem[]
    code?: string
    errors?: { pointer: string; detail: string }[]
  }
}

/** The service's surroundings, and instances of the whole service in them. */
export async function createStage() {
  const data = await createWishlistDatabase()
  const broker = await createTestDatabase()
  const authority = await startTokenAuthority()
  const outside = createPostgresMessaging({
    url: broker.url,
    service: 'test',
    instance: 'test',
    logger: silentLogger(),
  })
  const running = new Set<ReturnType<typeof createApp>>()

  async function publish<D>(contract: MessageContract<D>, data: D): Promise<void> {
    const at = new Date()
    await outside.publisher.publish([createMessage(contract, data, { id: uuidv7(), at })])
  }

  return {
    database: data.database,
    tokenFor: (subjectId: string) => authority.bearer(subjectId),
    publish,
    publishProduct: (product: ProductState) => publish(productChanged, product),
    /**
     * Stands in for the service's group and refuses everything, until `find` returns something of the
     * dead letters that this makes.
     */
    async refuseMessages<T>(
      group: string,
      find: (deadLetters: DeadLetters) => Promise<T | undefined>,
    ): Promise<T> {
      const standIn = createPostgresMessaging({
        ...{ url: broker.url, service: group, instance: 'stand-in', logger: silentLogger() },
      })
      standIn.subscribeTopic({
        topic: productsTopic.name,
        group,
        from: 'start',
        handler: async () => {
          throw new AppError('invalid', 'REFUSED', 'It is refused on purpose.')
        },
      })
      await standIn.start()
      try {
        return (await eventually(async () => {
          const found = await find(standIn.deadLetters)
          return found ?? false
        })) as T
      } finally {
        await standIn.stop()
      }
    },
    replayDeadLetter: (id: string) => outside.deadLetters.replay(id),
    brokerStats: () => outside.stats(),
    async startApp(env: Record<string, string> = {}) {
      const app = createApp(
        readConfig({
          DATABASE_URL: data.url,
          MESSAGES_URL: broker.url,
          INTERNAL_SECRET: internalSecret,
          JWKS_URLS: authority.jwksUrl,
          LOG_LEVEL: 'silent',
          ...env,
        }),
      )
      await app.start()
      running.add(app)
      return app
    },
    async stopApp(app: ReturnType<typeof createApp>) {
      running.delete(app)
      await app.stop()
    },
    async close() {
      await Promise.all([...running].map((app) => app.stop()))
      await outside.stop()
      authority.close()
      await broker.drop()
      await data.drop()
    },
  }
}

export type Stage = Awaited<ReturnType<typeof createStage>>

/** Calls one instance over HTTP as one person; without a token, as a guest. */
export function createCaller(app: { httpPort(): number }, token?: string) {
  const headers: Record<string, string> = token === undefined ? {} : { authorization: token }
  const base = `http://127.0.0.1:${app.httpPort()}/api/v1/wishlist`
  return async (method: string, path = ''): Promise<Answer> => {
    const answer = await fetch(`${base}${path}`, { method, headers })
    const text = await answer.text()
    return { status: answer.status, body: text === '' ? undefined : JSON.parse(text) }
  }
}
