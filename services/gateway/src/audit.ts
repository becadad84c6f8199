import { type NewAuditEntry, routes } from '@halles/contracts/gen/http/rbac'
import { AppError } from '@halles/kit/errors'
import { uuidv7 } from '@halles/kit/ids'
import { callInternal } from './internal-call.ts'
import type { Upstream } from './upstream.ts'

export type Audit = {
  /** Resolves once rbac keeps the entry. Throws unavailable `AUDIT_UNAVAILABLE`. */
  record(entry: Omit<NewAuditEntry, 'id'>): Promise<void>
}

// An insert of one row; longer means that rbac is not well, and the operator can try again.
const deadlineMs = 3_000

/**
 * Keeps in rbac's audit log what an operator is about to do. It is recorded before the deed, and
 * without the record the deed is refused: an entry for what then failed says too much, a deed
 * without an entry is what an audit log is there to exclude.
 */
export function createAudit(rbac: Upstream, internalSecret: string): Audit {
  return {
    async record(entry) {
      try {
        await callInternal(rbac, internalSecret, {
          contract: routes.recordAuditEntry,
          // Its own id lets the entry be sent again without being there twice.
          body: { id: uuidv7(), ...entry } satisfies NewAuditEntry,
          deadlineMs,
          isRepeatable: true,
          // Not given up with the client: the entry may be there already.
          signal: new AbortController().signal,
        })
      } catch (cause) {
        throw new AppError(
          'unavailable',
          'AUDIT_UNAVAILABLE',
          'This cannot be recorded in the audit log right now, so it is not done.',
          { retryAfterSeconds: 5, cause },
        )
      }
    },
  }
}
