import { type Database, type Queries, sql, type Tx } from '@halles/kit/database'
import { AppError } from '@halles/kit/errors'
import { isUuid } from '@halles/kit/ids'
import { outboxInsert, toOutboxRows } from '@halles/kit/outbox'
import {
  type Assignment,
  type AuditEntry,
  administrator,
  type Decision,
  type Role,
} from './domain.ts'
import type { AuditPage, PolicyChanges, PolicyStore, SubjectPage } from './ports.ts'

// Changes of the policy are rare. One at a time makes "the last administrator" and "an unknown
// role" certain without locking every row that they depend on, and orders the events.
const changeLockKey = 4_801_297_401

const lockChanges = sql('rbac.lock_changes', 'select pg_advisory_xact_lock($1)')
const selectRole = sql(
  'rbac.select_role',
  'select role, permissions, version from roles where role = $1 and removed_at is null',
)
const selectAnyRole = sql(
  'rbac.select_any_role',
  `select role, permissions, version, removed_at is not null as "isNew" from roles where role = $1`,
)
const selectRoles = sql(
  'rbac.select_roles',
  'select role, permissions, version from roles where removed_at is null order by role limit 1000',
)
const selectAssignment = sql(
  'rbac.select_assignment',
  'select subject_id as "subjectId", roles, version from assignments where subject_id = $1',
)
const selectSurroundings = sql(
  'rbac.select_surroundings',
  `select array(select role from roles where removed_at is null) as "knownRoles",
    exists (select 1 from assignments where roles @> array[$2::text] and subject_id <> $1)
      as "hasOtherAdministrator"`,
)

const audit = (
  first: number,
) => `insert into audit_log (id, at, actor_id, action, target, before, after)
  values ($${first}, $${first + 1}, $${first + 2}, $${first + 3}, $${first + 4}, $${first + 5}, $${first + 6})`

const saveRole = sql(
  'rbac.save_role',
  `with changed as (
    insert into roles (role, permissions, version, updated_at) values ($1, $2, $3, $6)
    on conflict (role) do update
      set permissions = excluded.permissions, version = excluded.version, updated_at = excluded.updated_at,
        removed_at = null
    returning role
  ), audited as (${audit(5)}), emitted as (${outboxInsert(4, 'changed')})
  select role from changed`,
)
const saveAssignment = sql(
  'rbac.save_assignment',
  `with changed as (
    insert into assignments (subject_id, roles, version, updated_at) values ($1, $2, $3, $6)
    on conflict (subject_id) do update
      set roles = excluded.roles, version = excluded.version, updated_at = excluded.updated_at
    returning subject_id
  ), audited as (${audit(5)}), emitted as (${outboxInsert(4, 'changed')})
  select subject_id from changed`,
)
const removeRole = sql(
  'rbac.remove_role',
  `with changed as (
    update roles set permissions = $2, version = $3, updated_at = $6, removed_at = $6
    where role = $1 returning role
  ), audited as (${audit(5)}), emitted as (${outboxInsert(4, 'changed')})
  select role from changed`,
)
const selectInUse = sql(
  'rbac.select_in_use',
  'select 1 from assignments where roles @> array[$1::text] limit 1',
)
const selectSubjects = sql(
  'rbac.select_subjects',
  `select subject_id as "subjectId", roles, version from assignments
   where roles <> '{}' and ($1::uuid is null or subject_id > $1) order by subject_id limit $2`,
)
const selectSubjectsOfRole = sql(
  'rbac.select_subjects_of_role',
  `select subject_id as "subjectId", roles, version from assignments
   where roles @> array[$3::text] and ($1::uuid is null or subject_id > $1)
   order by subject_id limit $2`,
)
const insertFirstStep = sql(
  'rbac.insert_first_step',
  'insert into first_steps (step, done_at) values ($1, $2) on conflict do nothing',
)
const learnPermissions = sql(
  'rbac.learn_permissions',
  `insert into known_permissions (permission) select unnest($1::text[])
   on conflict do nothing returning permission`,
)
const insertAudit = sql(
  'rbac.insert_audit',
  `insert into audit_log (id, at, actor_id, action, target, before, after, details)
   values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (id) do nothing`,
)
const selectAudit = sql(
  'rbac.select_audit',
  `select position, id, at, actor_id as "actorId", action, target, before, after, details
   from audit_log
   where $1::bigint is null or position < $1 order by position desc limit $2`,
)

/** Roles, assignments and the audit log in PostgreSQL. */
export function createPolicyStore(database: Database): PolicyStore {
  return {
    change: (work) =>
      database.transaction(async (tx) => {
        await tx.query(lockChanges, [changeLockKey])
        return work(changesOf(tx))
      }),
    role: (role) => database.one<Role>(selectRole, [role], roleNotFound),
    roles: () => database.query<Role>(selectRoles),
    assignment: (subjectId) => readAssignment(database, subjectId),
    subjects: (query) => readSubjects(database, query),
    async record({ id, at, actorId, action, target, before, after, details }) {
      const values = [id, at, actorId, action, target, before, after, JSON.stringify(details)]
      await database.run(insertAudit, values)
    },
    auditLog: (page) => readAuditLog(database, page),
  }
}

function changesOf(tx: Tx): PolicyChanges {
  return {
    async updateRole(name, decide) {
      const known = await tx.maybe<Role & { isNew: boolean }>(selectAnyRole, [name])
      const role = known ?? { role: name, permissions: [], version: 0, isNew: true }
      const decision = decide(role)
      if (decision === undefined) return role
      const { state } = decision
      await tx.query(saveRole, [name, state.permissions, state.version, ...recordsOf(decision)])
      return state
    },
    async removeRole(name, decide) {
      const role = await tx.one<Role>(selectRole, [name], roleNotFound)
      const decision = decide(role, (await tx.maybe(selectInUse, [name])) !== undefined)
      const { state } = decision
      await tx.query(removeRole, [name, state.permissions, state.version, ...recordsOf(decision)])
    },
    async updateAssignment(subjectId, decide) {
      const assignment = await readAssignment(tx, subjectId)
      const { knownRoles, hasOtherAdministrator } = await tx.one<{
        knownRoles: string[]
        hasOtherAdministrator: boolean
      }>(selectSurroundings, [subjectId, administrator], noRow)
      const surroundings = { knownRoles: new Set(knownRoles), hasOtherAdministrator }
      const decision = decide(assignment, surroundings)
      if (decision === undefined) return assignment
      const { state } = decision
      await tx.query(saveAssignment, [
        subjectId,
        state.roles,
        state.version,
        ...recordsOf(decision),
      ])
      return state
    },
    takeFirstStep: async (step, at) => (await tx.run(insertFirstStep, [step, at])) === 1,
    learnPermissions: async (permissions) =>
      (await tx.query<{ permission: string }>(learnPermissions, [permissions])).map(
        ({ permission }) => permission,
      ),
  }
}

/** Parameters 4 to 11 of both saving statements. */
function recordsOf(decision: NonNullable<Decision<unknown>>): unknown[] {
  const { id, at, actorId, action, target, before, after } = decision.audit
  return [toOutboxRows([decision.message]), id, at, actorId, action, target, before, after]
}

async function readAssignment(queries: Queries, subjectId: string): Promise<Assignment> {
  const known = await queries.maybe<Assignment>(selectAssignment, [subjectId])
  return known ?? { subjectId, roles: [], version: 0 }
}

async function readSubjects(
  database: Database,
  { role, limit, cursor }: Parameters<PolicyStore['subjects']>[0],
): Promise<SubjectPage> {
  const after = cursor === undefined ? null : Buffer.from(cursor, 'base64url').toString('latin1')
  if (after !== null && !isUuid(after)) throw invalidCursor()
  const page = [after, limit + 1]
  const rows = await (role === undefined
    ? database.query<Assignment>(selectSubjects, page)
    : database.query<Assignment>(selectSubjectsOfRole, [...page, role]))
  const items = rows.slice(0, limit)
  const last = items.at(-1)
  const hasMore = rows.length > limit && last !== undefined
  return { items, nextCursor: hasMore ? Buffer.from(last.subjectId).toString('base64url') : null }
}

async function readAuditLog(
  database: Database,
  { limit, cursor }: { limit: number; cursor?: string | undefined },
): Promise<AuditPage> {
  const before = cursor === undefined ? null : parseCursor(cursor)
  const rows = await database.query<AuditEntry & { position: number }>(selectAudit, [
    before,
    limit + 1,
  ])
  const items = rows.slice(0, limit)
  const last = items.at(-1)
  const nextCursor = rows.length > limit && last ? formatCursor(last.position) : null
  return { items: items.map(({ position: _position, ...entry }) => entry), nextCursor }
}

function formatCursor(position: number): string {
  return Buffer.from(String(position)).toString('base64url')
}

function parseCursor(cursor: string): number {
  const text = Buffer.from(cursor, 'base64url').toString('latin1')
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text)
  throw invalidCursor()
}

function invalidCursor(): AppError {
  return new AppError('invalid', 'INVALID_CURSOR', 'This cursor is none of ours.', {
    errors: [{ pointer: '/query/cursor', detail: 'must be a nextCursor of an earlier page' }],
  })
}

function roleNotFound(): AppError {
  return new AppError('not-found', 'ROLE_NOT_FOUND', 'There is no such role.')
}

function noRow(): Error {
  return new Error('A statement that always has one row returned none.')
}
