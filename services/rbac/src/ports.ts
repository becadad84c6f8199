import type { Assignment, AuditEntry, Decision, Role, Surroundings } from './domain.ts'

export type SubjectPage = { items: readonly Assignment[]; nextCursor: string | null }

export type AuditPage = { items: readonly AuditEntry[]; nextCursor: string | null }

/** What can be changed while no other change is under way. */
export type PolicyChanges = {
  /**
   * Decides on a role, of version 0 when there never was one; saves it with audit entry and event.
   */
  updateRole(
    role: string,
    decide: (role: Role & { isNew: boolean }) => Decision<Role>,
  ): Promise<Role>
  /** Throws ROLE_NOT_FOUND. */
  removeRole(
    role: string,
    decide: (role: Role, isInUse: boolean) => NonNullable<Decision<Role>>,
  ): Promise<void>
  /** Decides on a subject's roles; version 0 means that it never had any. */
  updateAssignment(
    subjectId: string,
    decide: (assignment: Assignment, surroundings: Surroundings) => Decision<Assignment>,
  ): Promise<Assignment>
  /** False when this step was done before. */
  takeFirstStep(step: string, at: Date): Promise<boolean>
  /** Remembers the permissions of this release; returns those that it brought. */
  learnPermissions(permissions: readonly string[]): Promise<readonly string[]>
}

export type PolicyStore = {
  /** One change at a time on the whole platform, in one transaction. */
  change<T>(work: (changes: PolicyChanges) => Promise<T>): Promise<T>
  /** Throws ROLE_NOT_FOUND. */
  role(role: string): Promise<Role>
  roles(): Promise<Role[]>
  /** Version 0 and no roles for a subject that never had any. */
  assignment(subjectId: string): Promise<Assignment>
  /** Subjects that have a role, or that one, by id. Throws INVALID_CURSOR. */
  subjects(query: {
    role?: string | undefined
    limit: number
    cursor?: string | undefined
  }): Promise<SubjectPage>
  /** Adds an entry to the audit log; adding an id again changes nothing. */
  record(entry: AuditEntry): Promise<void>
  /** Newest first. Throws INVALID_CURSOR. */
  auditLog(page: { limit: number; cursor?: string | undefined }): Promise<AuditPage>
}

export type Deps = {
  store: PolicyStore
  /** Every permission of the platform, and what each means. */
  permissions: Readonly<Record<string, string>>
  clock: () => Date
  newId: () => string
}
