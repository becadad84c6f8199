import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { fileURLToPath } from 'node:url'
import {
  type ProductState,
  productChanged,
  address as productsTopic,
} from '@halles/contracts/gen/messages/products'
import { createMessage, type MessageContract } from '@halles/contracts/message'
import { AppError } from '@halles/kit/errors'
import { uuidv7 } from '@halles/kit/ids'
import { inboxSchema } from '@halles/kit/inbox'
import type { DeadLetters } from '@halles/kit/messaging'
import { createPostgresMessaging } from '@halles/kit/messaging/postgres'
import { createTestDatabase, eventually, silentLogger } from '@halles/kit/testing'
import { startTokenAuthority } from '@halles/kit/testing-authority'
import { createApp } from '../src/app.ts'
import { readConfig } from '../src/config.ts'

export const internalSecret = 'a secret of thirty-two characters or more'

export function createCartDatabase() {
  return createTestDatabase({
    directory: fileURLToPath(new URL('../migrations', import.meta.url)),
    schemas: [inboxSchema],
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

export type Answer = {
  status: number
  body: { code?: string; errors?: { pointer: string; detail: string }[] }
}
export type Shown = {
  id: string
  customerId: string | null
  version: number
  total: { amountMinor: number; currency: string } | null
  lines: {
    variantId: string
    quantity: number
    availability: string
    unitPrice: { amountMinor: number }
    unitPriceWhenAdded: { amountMinor: number }
    total: { amountMinor: number }
  }[]
}

/** The service's surroundings, and instances of the whole service in them. */
export async function createStage() {
  const data = await createCartDatabase()
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
  const base = `http://127.0.0.1:${app.httpPort()}/api/v1`
  const authorization: Record<string, string> = token === undefined ? {} : { authorization: token }
  async function call(method: string, path: string, body?: unknown): Promise<Answer> {
    const answer = await fetch(`${base}${path}`, {
      method,
      headers: {
        ...authorization,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined
        ? {}
        : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    return { status: answer.status, body: (await answer.json()) as Answer['body'] }
  }
  return {
    call,
    async cart(method: string, path: string, body?: unknown): Promise<Shown> {
      const answer = await call(method, path, body)
      if (answer.status >= 300) throw new Error(`${answer.status} ${answer.body.code}`)
      return answer.body as unknown as Shown
    },
    /** Server-sent events as they come, until `close`. */
    async stream(path: string) {
      // A socket of its own: it ends with the stream.
      const request = get(`${base}${path}`, { headers: authorization, agent: false })
      const [answer] = (await once(request, 'response')) as [IncomingMessage]
      if (answer.statusCode !== 200) {
        request.destroy()
        throw new Error(`The stream was refused with ${answer.statusCode}.`)
      }
      return { events: readEvents(answer), close: () => request.destroy() }
    },
  }
}

async function* readEvents(answer: IncomingMessage): AsyncGenerator<Shown> {
  answer.setEncoding('utf8')
  let text = ''
  for await (const chunk of answer) {
    text += chunk
    const blocks = text.split('\n\n')
    text = blocks.pop() ?? ''
    for (const block of blocks) {
      const data = /^event: cart\ndata: (.*)$/.exec(block)?.[1]
      if (data !== undefined) yield JSON.parse(data) as Shown
    }
  }
}
