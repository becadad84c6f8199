import {
  type Assignment,
  type AuditDetails,
  administrator,
  defaultRoles,
  impliedPermissions,
  type Role,
  removeRole,
  setPermissions,
  setRoles,
} from './domain.ts'
import type { Deps, PolicyChanges } from './ports.ts'

export type PutRole = {
  actorId: string
  role: string
  permissions: readonly string[]
  expectedVersion?: number | undefined
}

/** Creates a role or replaces its permissions. */
export async function putRole(deps: Deps, command: PutRole): Promise<Role> {
  const { store, clock, newId } = deps
  const { actorId, expectedVersion } = command
  const knownPermissions = knownOf(deps)
  const change = { actorId, expectedVersion, at: clock(), newId, knownPermissions }
  return store.change((changes) =>
    changes.updateRole(command.role, (role) => setPermissions(role, command.permissions, change)),
  )
}

/** Removes a role that nobody has. */
export async function deleteRole(
  { store, clock, newId }: Deps,
  { role, ...who }: Omit<PutRole, 'permissions'>,
): Promise<void> {
  const change = { ...who, at: clock(), newId }
  await store.change((changes) =>
    changes.removeRole(role, (known, isInUse) => removeRole(known, { ...change, isInUse })),
  )
}

/** What the roles allow together. */
export async function permissionsOf(
  roles: readonly string[],
  policy: Promise<readonly Role[]>,
): Promise<string[]> {
  const held = (await policy).filter(({ role }) => roles.includes(role))
  return [...new Set(held.flatMap(({ permissions }) => permissions))].sort()
}

export type PutSubjectRoles = {
  actorId: string
  subjectId: string
  roles: readonly string[]
  expectedVersion?: number | undefined
}

/** Replaces the roles of a subject. */
export async function putSubjectRoles(deps: Deps, command: PutSubjectRoles): Promise<Assignment> {
  const { store, clock, newId } = deps
  const { actorId, expectedVersion } = command
  const change = { actorId, expectedVersion, at: clock(), newId }
  return store.change((changes) =>
    changes.updateAssignment(command.subjectId, (assignment, surroundings) =>
      setRoles(assignment, command.roles, { ...change, ...surroundings }),
    ),
  )
}

export type RecordAction = {
  id: string
  actorId: string
  action: string
  target: string
  details: AuditDetails
}

/** Keeps what somebody is about to do elsewhere on the platform. */
export async function recordAction(
  { store, clock }: Pick<Deps, 'store' | 'clock'>,
  action: RecordAction,
): Promise<void> {
  await store.record({ ...action, at: clock(), before: [], after: [] })
}

/**
 * Brings the policy of a new database, or of a new release, into being. Each part is done once, so
 * that what an administrator changed later stays changed.
 */
export async function preparePolicy(deps: Deps, adminSubjectId?: string): Promise<void> {
  const { store, clock, newId } = deps
  const change = { actorId: null, at: clock(), newId }
  await store.change(async (changes) => {
    await grantNewPermissions(deps, changes)
    if (await changes.takeFirstStep('default-roles', change.at)) {
      for (const [name, permissions] of Object.entries(defaultRoles)) {
        if (name === administrator) continue
        await changes.updateRole(name, (role) =>
          setPermissions(role, permissions, { ...change, knownPermissions: knownOf(deps) }),
        )
      }
    }
    if (adminSubjectId === undefined) return
    if (!(await changes.takeFirstStep(`administrator:${adminSubjectId}`, change.at))) return
    await changes.updateAssignment(adminSubjectId, (assignment, surroundings) =>
      setRoles(assignment, [...new Set([...assignment.roles, administrator])], {
        ...change,
        ...surroundings,
      }),
    )
  })
}

async function grantNewPermissions(deps: Deps, changes: PolicyChanges): Promise<void> {
  const { clock, newId } = deps
  const knownPermissions = knownOf(deps)
  const change = { actorId: null, at: clock(), newId, knownPermissions }
  const brought = await changes.learnPermissions([...knownPermissions])
  if (brought.length === 0) return
  await changes.updateRole(administrator, (role) => {
    // A permission that a release took back is no longer granted to anybody.
    const kept = role.permissions.filter((permission) => knownPermissions.has(permission))
    const permissions = [...new Set([...kept, ...brought])]
    return setPermissions(role, permissions, change)
  })
  for (const permission of brought) {
    const implying = impliedPermissions[permission]
    for (const { role: name, permissions } of await deps.store.roles()) {
      if (implying === undefined || !permissions.includes(implying)) continue
      await changes.updateRole(name, (role) =>
        setPermissions(role, [...new Set([...role.permissions, permission])], change),
      )
    }
  }
}

function knownOf({ permissions }: Pick<Deps, 'permissions'>): ReadonlySet<string> {
  return new Set(Object.keys(permissions))
}
