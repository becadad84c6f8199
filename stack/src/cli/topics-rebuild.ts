import type { ReplicaRebuild } from '@halles/contracts/gen/http/gateway'
import { type Command, usage } from './command.ts'

const services = ['carts', 'wishlists']
// Longer than the gateway waits, so that what we see is its answer.
const answerLimitMs = 250_000

export const topicsRebuild: Command = {
  name: 'topics rebuild',
  summary: "Build a service's replica of the products anew from their topic. Audited.",
  words: ['<service>'],
  options: {},
  help: `  <service>             ${services.join(' or ')}

The service goes on serving meanwhile; its log says how far it is.`,
  example: 'carts',
  async run({ words: [service = ''] }, { session, show, progress }) {
    if (!services.includes(service)) {
      throw usage(`"${service}" keeps no replica; those who do: ${services.join(', ')}.`)
    }
    const { call } = await session()
    progress(`${service} is rebuilding its replica …`)
    const path = `/api/v1/system/services/${service}/rebuild`
    const done = await call<ReplicaRebuild>({
      ...{ method: 'POST', path },
      limitMs: answerLimitMs,
      isRepeatable: false,
    })
    const { messages, products } = done
    show({ json: done, text: `${service}: ${products} products from ${messages} messages.` })
    return true
  },
}
