import type { Part } from '@halles/kit/lifecycle'
import { createListener } from '@halles/kit/listener'
import type { Logger } from '@halles/kit/logging'
import type { Role } from './domain.ts'

export type HeldPolicy = Part & {
  /** Every role, from memory unless a replica has changed one since it was read. */
  roles(): Promise<readonly Role[]>
}

// A back-stop: a change is announced at once, except to a connection that is half dead.
const maxHeldMs = 30_000

/** Holds the policy in memory: one query for each change, however many services ask for it. */
export function createHeldPolicy(options: {
  readRoles: () => Promise<readonly Role[]>
  /** Called with the new state after each change that this or another replica made. */
  onChange: (roles: readonly Role[]) => void
  listenUrl: string
  logger: Logger
}): HeldPolicy {
  const { readRoles, onChange, listenUrl, logger } = options
  let held: Promise<readonly Role[]> | undefined
  let readAtMs = 0

  function roles(): Promise<readonly Role[]> {
    if (held !== undefined && performance.now() - readAtMs < maxHeldMs) return held
    const reading = readRoles()
    held = reading
    readAtMs = performance.now()
    // The caller gets the failure; it must only not be held for the next one.
    reading.catch(() => {
      if (held === reading) held = undefined
    })
    return reading
  }

  const listener = createListener({
    url: listenUrl,
    channel: 'policy',
    applicationName: 'rbac policy',
    logger,
    onNotify() {
      held = undefined
      roles()
        .then(onChange)
        .catch((error: unknown) => logger.warn({ error }, 'The policy could not be read again.'))
    },
  })
  return {
    name: 'policy',
    roles,
    start: async () => listener.start(),
    stop: () => listener.stop(),
  }
}
