import { assignmentChanged, roleChanged } from '@halles/contracts/gen/messages/rbac'
import { createMessage, type OutgoingMessage } from '@halles/contracts/message'
import { AppError, type FieldError } from '@halles/kit/errors'

export type Role = { role: string; permissions: readonly string[]; version: number }

export type Assignment = { subjectId: string; roles: readonly string[]; version: number }

export type AuditEntry = {
  id: string
  at: Date
  /** Null when the service itself acted. */
  actorId: string | null
  /** `role-changed`, `assignment-changed`, or what another service says that it is about to do. */
  action: string
  target: string
  before: readonly string[]
  after: readonly string[]
  details: AuditDetails
}

export type AuditDetails = Readonly<
  Record<string, string | number | boolean | null | readonly string[]>
>

/** Who changes something, when, and the ids that the change will need. */
export type Change = {
  actorId: string | null
  at: Date
  newId: () => string
  /** The version that the caller has read, when it named one. */
  expectedVersion?: number | undefined
}

/** A new state with its audit entry and its event; undefined when nothing changes. */
export type Decision<State> =
  | { state: State; audit: AuditEntry; message: OutgoingMessage }
  | undefined

/** What a decision about a subject's roles needs to know besides the subject. */
export type Surroundings = {
  knownRoles: ReadonlySet<string>
  /** Whether somebody else is an administrator. */
  hasOtherAdministrator: boolean
}

export const administrator = 'administrator'

/** The roles of a new database; the administrator's gets every permission besides. */
export const defaultRoles: Readonly<Record<string, readonly string[]>> = {
  [administrator]: [],
  'catalogue-manager': ['products:read', 'products:write'],
  'order-manager': ['orders:read', 'orders:write', 'products:read'],
  support: ['orders:read', 'customers:read', 'products:read'],
  auditor: ['rbac:read', 'system:read', 'orders:read'],
}

/**
 * What a role could do before a release made a permission of its own of it: who holds the one gets
 * the other with that release.
 */
export const impliedPermissions: Readonly<Record<string, string>> = {
  'products:read': 'products:write',
}

/** Gives a role exactly these permissions, creating it when it is new. */
export function setPermissions(
  role: Role & { isNew?: boolean },
  permissions: readonly string[],
  { knownPermissions, ...change }: Change & { knownPermissions: ReadonlySet<string> },
): Decision<Role> {
  checkVersion(role.version, change.expectedVersion)
  refuseUnknown(permissions, knownPermissions, {
    code: 'UNKNOWN_PERMISSION',
    list: 'permissions',
    detail: 'is not a permission of this platform',
  })
  if (role.role === administrator && !permissions.includes('rbac:write')) {
    throw new AppError(
      'conflict',
      'ADMINISTRATOR_ROLE_PROTECTED',
      'The administrator role keeps rbac:write; without it nobody could change roles again.',
    )
  }
  const after = [...permissions].sort()
  const { isNew = role.version === 0 } = role
  if (!isNew && isSame(role.permissions, after)) return undefined
  const state = { role: role.role, permissions: after, version: role.version + 1 }
  const key = `role:${role.role}`
  const { actorId, at, newId } = change
  return {
    state,
    audit: {
      id: newId(),
      at,
      actorId,
      action: 'role-changed',
      target: key,
      before: role.permissions,
      after,
      details: {},
    },
    message: createMessage(roleChanged, { key, ...state, permissions: after }, { id: newId(), at }),
  }
}

/** Removes a role that nobody has. @throws conflict `ROLE_IN_USE`. */
export function removeRole(
  role: Role,
  { isInUse, ...change }: Change & { isInUse: boolean },
): NonNullable<Decision<Role>> {
  checkVersion(role.version, change.expectedVersion)
  if (role.role === administrator) {
    throw new AppError(
      'conflict',
      'ADMINISTRATOR_ROLE_PROTECTED',
      'The administrator role stays; without it nobody could change roles again.',
    )
  }
  if (isInUse) {
    throw new AppError('conflict', 'ROLE_IN_USE', 'Somebody has this role; take it away before.')
  }
  const state = { ...role, permissions: [], version: role.version + 1 }
  const { actorId, at, newId } = change
  const target = `role:${role.role}`
  return {
    state,
    audit: {
      ...{ id: newId(), at, actorId, action: 'role-removed', target },
      ...{ before: role.permissions, after: [], details: {} },
    },
    // To those who hold the policy it may do nothing from now on.
    message: createMessage(roleChanged, { key: target, ...state }, { id: newId(), at }),
  }
}

/** Gives a subject exactly these roles. */
export function setRoles(
  assignment: Assignment,
  roles: readonly string[],
  { knownRoles, hasOtherAdministrator, ...change }: Change & Surroundings,
): Decision<Assignment> {
  checkVersion(assignment.version, change.expectedVersion)
  refuseUnknown(roles, knownRoles, {
    code: 'UNKNOWN_ROLE',
    list: 'roles',
    detail: 'is not a role',
  })
  const isRemoved = assignment.roles.includes(administrator) && !roles.includes(administrator)
  if (isRemoved && !hasOtherAdministrator) {
    throw new AppError(
      'conflict',
      'LAST_ADMINISTRATOR',
      'This is the last administrator; make somebody else one before.',
    )
  }
  const after = [...roles].sort()
  if (isSame(assignment.roles, after)) return undefined
  const state = { ...assignment, roles: after, version: assignment.version + 1 }
  const key = `subject:${assignment.subjectId}`
  const { actorId, at, newId } = change
  return {
    state,
    audit: {
      id: newId(),
      at,
      actorId,
      action: 'assignment-changed',
      target: key,
      before: assignment.roles,
      after,
      details: {},
    },
    message: createMessage(assignmentChanged, { key, ...state, roles: after }, { id: newId(), at }),
  }
}

function checkVersion(version: number, expected: number | undefined): void {
  if (expected === undefined || expected === version) return
  throw new AppError(
    'precondition-failed',
    'VERSION_MISMATCH',
    'Somebody changed this after you read it; read it again.',
  )
}

function refuseUnknown(
  names: readonly string[],
  known: ReadonlySet<string>,
  { code, list, detail }: { code: string; list: string; detail: string },
): void {
  const errors = names.flatMap((name, index): FieldError[] =>
    known.has(name) ? [] : [{ pointer: `/body/${list}/${index}`, detail }],
  )
  if (errors.length === 0) return
  throw new AppError('unprocessable', code, `Some of the ${list} do not exist.`, { errors })
}

/** Both lists are sorted. */
function isSame(before: readonly string[], after: readonly string[]): boolean {
  return before.length === after.length && before.every((name, index) => name === after[index])
}
