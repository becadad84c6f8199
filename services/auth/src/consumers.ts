import {
  address as commands,
  removeCredentials,
  setCredentials,
} from '@halles/contracts/gen/messages/customers'
import { assignmentChanged, address as policyEvents } from '@halles/contracts/gen/messages/rbac'
import { createDispatcher, on } from '@halles/kit/consumer'
import type { Messaging } from '@halles/kit/messaging'
import type { Deps } from './ports.ts'
import { applyAssignment, applyCredentials } from './use-cases.ts'

/** Consumes the commands of customers and the assignments of rbac. */
export function consumeAuth(messaging: Messaging, deps: Deps): void {
  messaging.consumeQueue({
    queue: commands.name,
    handler: createDispatcher(
      [
        on(setCredentials, async ({ subjectId, version, sealed, revokeSessions }, delivery) => {
          const context = { type: setCredentials.type, subjectId, version }
          const secret = await deps.opener.open(sealed, context)
          await applyCredentials(deps, {
            messageId: delivery.message.id,
            credentials: { subjectId, version, secret },
            revokeSessions,
          })
        }),
        on(removeCredentials, ({ subjectId, version }, delivery) =>
          applyCredentials(deps, {
            messageId: delivery.message.id,
            credentials: { subjectId, version, secret: null },
            revokeSessions: true,
          }),
        ),
      ],
      { unknown: 'refuse' },
    ),
  })
  messaging.subscribeTopic({
    topic: policyEvents.name,
    group: 'auth',
    from: 'start',
    handler: createDispatcher(
      [
        on(assignmentChanged, ({ subjectId, roles, version }, delivery) =>
          applyAssignment(deps, {
            messageId: delivery.message.id,
            assignment: { subjectId, roles, version },
          }),
        ),
      ],
      { unknown: 'ignore' },
    ),
  })
}
