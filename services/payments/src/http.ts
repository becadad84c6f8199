import { type Operations, routes } from '@halles/contracts/gen/http/payments'
import type { HttpServer } from '@halles/kit/http-server'
import type { Deps } from './ports.ts'
import { receiveEvent } from './use-cases/receive-event.ts'

export { routes }

/** Serves the contract `payments`. */
export function servePayments(server: HttpServer<Operations>, deps: Deps): void {
  server.on('receiveStripeWebhook', async ({ rawBody, headers }) => {
    const signature = headers['stripe-signature']
    return { received: true, outcome: await receiveEvent(deps, { rawBody, signature }) }
  })
}
