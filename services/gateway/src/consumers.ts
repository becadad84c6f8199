import {
  address as authEvents,
  type SessionsRevokedData,
  sessionsRevoked,
} from '@halles/contracts/gen/messages/auth'
import {
  availabilityChanged,
  type ProductState,
  priceChanged,
  productChanged,
  address as productEvents,
  productRemoved,
} from '@halles/contracts/gen/messages/products'
import { address as rbacEvents, roleChanged } from '@halles/contracts/gen/messages/rbac'
import { createDispatcher, on } from '@halles/kit/consumer'
import type { Delivery, Messaging } from '@halles/kit/messaging'
import type { Policy } from '@halles/kit/policy'
import type { Purges } from './purges.ts'
import type { Revocations } from './revocations.ts'

// A gateway that starts purges what changed lately: nobody may have been there to do it. Much longer
// than the shared cache is trusted without anybody who watches the events.
const replayMs = 60_000

/**
 * Subscribes this gateway, by itself, to the events that its cache, policy and revocations follow.
 * Every gateway needs every event, so none of the subscriptions has a group. Returns what resolves
 * when all are live.
 */
export function subscribe(
  messaging: Messaging,
  { purges, policy, revocations }: { purges: Purges; policy: Policy; revocations: Revocations },
): Promise<void> {
  const purgeProduct = ({ productId }: ProductState, { message }: Delivery) =>
    purges.apply(message, [`product:${productId}`])
  // What a list holds and in which order may change too, also where the product was not yet.
  const purgeLists = ({ productId }: ProductState, { message }: Delivery) =>
    purges.apply(message, [`product:${productId}`, 'products'])
  const products = messaging.subscribeTopic({
    topic: productEvents.name,
    from: { sinceMs: replayMs },
    handler: createDispatcher(
      [
        on(priceChanged, purgeProduct),
        on(availabilityChanged, purgeProduct),
        on(productChanged, purgeLists),
        on(productRemoved, purgeLists),
      ],
      { unknown: 'ignore' },
    ),
  })
  const roles = messaging.subscribeTopic({
    topic: rbacEvents.name,
    from: 'end',
    handler: createDispatcher([on(roleChanged, async (role) => policy.apply(role))], {
      unknown: 'ignore',
    }),
  })
  const sessions = messaging.subscribeTopic({
    topic: authEvents.name,
    // A gateway that starts must know the sessions whose tokens have not expired yet.
    from: { sinceMs: revocations.keepMs },
    handler: createDispatcher(
      [
        on(sessionsRevoked, async ({ sessionIds }: SessionsRevokedData) => {
          revocations.add(sessionIds)
        }),
      ],
      { unknown: 'ignore' },
    ),
  })
  const isLive = products.ready.then(purges.begin)
  return Promise.all([isLive, roles.ready, sessions.ready]).then(() => undefined)
}
