import { setTimeout as pause } from 'node:timers/promises'
import { AppError } from './errors.ts'
import type { Logger } from './logging.ts'
import type { Caller } from './tokens.ts'

/** What a role may do; a higher version is newer. */
export type RoleState = {
  readonly role: string
  readonly permissions: readonly string[]
  readonly version: number
}

export type Policy = {
  /** Whether one of the caller's roles has the permission; false when the policy is too old. */
  may(caller: Caller, permission: string): boolean
  /** @throws forbidden `FORBIDDEN`; unavailable `POLICY_STALE` when the policy is too old. */
  require(caller: Caller, permission: string): void
  /** Takes one role's new state from an event; older versions are ignored. */
  apply(state: RoleState): void
  /** Waits a bounded time for a first policy and goes on refreshing; does not fail without one. */
  start(): Promise<void>
  stop(): Promise<void>
}

export type PolicyOptions = {
  fetchPolicy: () => Promise<{ roles: readonly RoleState[] }>
  refreshSeconds?: number
  /** How long the last complete policy is trusted while its owner does not answer. */
  maxAgeSeconds?: number
  /**
   * How long `start` waits for a first policy. Default 3 s: its owner may be starting too, and a
   * service that is ready before it knows the policy would refuse the first who come.
   */
  firstWaitMs?: number
  logger: Logger
  /** Monotonic milliseconds. */
  clock?: () => number
}

type Grant = {
  readonly permissions: ReadonlySet<string>
  readonly version: number
  readonly appliedAtMs: number
}

// Until a first policy is there everything is denied, so it is asked for more often.
const firstRetryMs = 200
// A replica of the owner holds its answer for 30 s when it does not hear of a change. What is newer
// for longer than this is of a database that was put back.
const behindMs = 60_000

/** A local copy of the table role → permissions, so that no request waits for its owner. */
export function createPolicy(options: PolicyOptions): Policy {
  const { fetchPolicy, logger, clock = () => performance.now() } = options
  const { refreshSeconds = 30, maxAgeSeconds = 900, firstWaitMs = 3_000 } = options
  let grants: ReadonlyMap<string, Grant> = new Map()
  let completeAtMs = Number.NEGATIVE_INFINITY
  let timer: NodeJS.Timeout | undefined
  let isStopped = false

  const isStale = () => clock() - completeAtMs > maxAgeSeconds * 1_000

  const isKnown = () => completeAtMs > Number.NEGATIVE_INFINITY

  async function refresh(): Promise<void> {
    const askedAtMs = clock()
    const { roles } = await fetchPolicy()
    // An event may have told us more than who answers knows.
    const told = [...grants].filter(([, grant]) => askedAtMs - grant.appliedAtMs < behindMs)
    const next = new Map(roles.map((state) => [state.role, toGrant(state)]))
    for (const [role, grant] of told) {
      if ((next.get(role)?.version ?? 0) <= grant.version) next.set(role, grant)
    }
    grants = next
    completeAtMs = askedAtMs
  }

  async function refreshAndPlan(): Promise<void> {
    try {
      await refresh()
    } catch (error) {
      logger.warn({ error }, 'The policy could not be refreshed; the last known one stays.')
    }
    if (isStopped) return
    timer = setTimeout(refreshAndPlan, isKnown() ? refreshSeconds * 1_000 : firstRetryMs)
    timer.unref()
  }

  function apply(state: RoleState): void {
    const known = grants.get(state.role)
    if (known && known.version >= state.version) return
    grants = new Map(grants).set(state.role, toGrant(state))
  }

  const toGrant = ({ permissions, version }: RoleState): Grant => ({
    permissions: new Set(permissions),
    version,
    appliedAtMs: clock(),
  })

  const isGranted = (caller: Caller, permission: string) =>
    caller.roles.some((role) => grants.get(role)?.permissions.has(permission))

  return {
    may: (caller, permission) => !isStale() && isGranted(caller, permission),
    require(caller, permission) {
      if (isStale()) {
        throw new AppError('unavailable', 'POLICY_STALE', 'Permissions cannot be checked now.', {
          retryAfterSeconds: 5,
        })
      }
      if (!isGranted(caller, permission)) {
        throw new AppError('forbidden', 'FORBIDDEN', `This needs the permission ${permission}.`)
      }
    },
    apply,
    async start() {
      const waitsUntilMs = performance.now() + firstWaitMs
      await refreshAndPlan()
      while (!isKnown() && !isStopped && performance.now() < waitsUntilMs) await pause(50)
    },
    async stop() {
      isStopped = true
      clearTimeout(timer)
    },
  }
}
