import { ApiProblem } from './api.ts'
import type { Visit } from './visit.ts'

export type Permissions = {
  /** @throws ApiProblem when rbac does not answer and what is known is too old. */
  of(visit: Pick<Visit, 'session' | 'call' | 'log'>): Promise<ReadonlySet<string>>
}

// The office hides what a role may not do; that it is refused is the services' own doing.
const freshMs = 30_000
// As long as gateways and services believe a policy when rbac is away.
const staleMs = 15 * 60_000
// Staff, not shoppers.
const maxKnown = 1_000

/** What signed-in people may do, remembered for a moment and for longer while rbac is away. */
export function createPermissions(now: () => number): Permissions {
  const known = new Map<string, { permissions: ReadonlySet<string>; atMs: number }>()
  return {
    async of(visit) {
      const key = visit.session?.idHash.toString('base64') ?? ''
      const held = known.get(key)
      if (held && now() - held.atMs < freshMs) return held.permissions
      try {
        const { data } = await visit.call('getMyPermissions', {})
        const permissions = new Set(data.permissions)
        known.delete(key)
        if (known.size >= maxKnown) known.delete(known.keys().next().value ?? '')
        known.set(key, { permissions, atMs: now() })
        return permissions
      } catch (error) {
        const isAway = error instanceof ApiProblem && error.problem.status >= 500
        if (!isAway || !held || now() - held.atMs > staleMs) throw error
        visit.log.warn({ error }, 'Permissions could not be read; the last known ones count.')
        return held.permissions
      }
    },
  }
}
