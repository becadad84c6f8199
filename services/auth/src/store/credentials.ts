import { type Database, sql, type Tx } from '@halles/kit/database'
import { recordMessage } from '@halles/kit/inbox'
import { appendOutbox } from '@halles/kit/outbox'
import { type Failures, throttleLimits } from '../domain.ts'
import type { Announce, Candidate, CredentialStore } from '../ports.ts'

/** What the inbox remembers messages under. */
const consumers = { credentials: 'auth.set-credentials', assignments: 'rbac.events' } as const

const saveCredentials = sql(
  'auth.save_credentials',
  `insert into credentials as known (subject_id, version, email, password_hash, updated_at)
   values ($1, $2, $3, $4, $5)
   on conflict (subject_id) do update
     set version = excluded.version, email = excluded.email,
       password_hash = excluded.password_hash, updated_at = excluded.updated_at
     where known.version < excluded.version
   returning old.password_hash as "previousHash"`,
)
const saveAssignment = sql(
  'auth.save_assignment',
  `insert into assignments as known (subject_id, version, roles) values ($1, $2, $3)
   on conflict (subject_id) do update set version = excluded.version, roles = excluded.roles
     where known.version < excluded.version
   returning coalesce(old.roles, '{}') as "previousRoles"`,
)
const endSessions = sql(
  'auth.end_sessions',
  'delete from sessions where subject_id = $1 returning id',
)
// Three, because an e-mail that passes from one subject to another may have two holders for a
// moment, and each costs a hash.
const selectForSignIn = sql(
  'auth.select_for_sign_in',
  `select failed.failures, failed.ends_at as "endsAt",
     holder.subject_id as "subjectId", holder.password_hash as "passwordHash"
   from (select 1) as always
   left join sign_in_failures as failed on failed.email_hash = $2
   left join (
     select subject_id, password_hash from credentials
     where email = $1 order by updated_at desc limit 3
   ) as holder on true`,
)
const countFailure = sql(
  'auth.count_failure',
  `insert into sign_in_failures as known (email_hash, failures, ends_at)
   values ($1, 1, $2::timestamptz + $3 * interval '1 millisecond')
   on conflict (email_hash) do update set
     failures = case when known.ends_at <= $2 then 1 else known.failures + 1 end,
     ends_at = case when known.ends_at <= $2 or known.failures + 1 = $4
       then excluded.ends_at else known.ends_at end`,
)

/** The replicas of credentials and assignments, and the count of failed sign-ins. */
export function createCredentialStore(database: Database): CredentialStore {
  return {
    apply: (messageId, { subjectId, version, secret }, { endsSessions, announce, at }) =>
      database.transaction(async (tx) => {
        if (!(await recordMessage(tx, messageId, consumers.credentials))) return
        const saved = await tx.maybe<{ previousHash: string | null }>(saveCredentials, [
          subjectId,
          version,
          secret?.email ?? null,
          secret?.passwordHash ?? null,
          at,
        ])
        if (saved && endsSessions(saved.previousHash)) await endAll(tx, subjectId, announce)
      }),
    applyAssignment: (messageId, { subjectId, version, roles }, { endsSessions, announce }) =>
      database.transaction(async (tx) => {
        if (!(await recordMessage(tx, messageId, consumers.assignments))) return
        const saved = await tx.maybe<{ previousRoles: string[] }>(saveAssignment, [
          subjectId,
          version,
          roles,
        ])
        if (saved && endsSessions(saved.previousRoles)) await endAll(tx, subjectId, announce)
      }),
    async findForSignIn(email, emailHash) {
      const rows = await database.query<SignInRow>(selectForSignIn, [email, emailHash])
      const [first] = rows
      const failures =
        first && first.failures !== null && first.endsAt !== null
          ? { failures: first.failures, endsAt: first.endsAt }
          : undefined
      return { candidates: rows.filter(isCandidate), failures }
    },
    recordFailure: async (emailHash, at) => {
      const { windowMs, failures } = throttleLimits
      await database.run(countFailure, [emailHash, at, windowMs, failures])
    },
  }
}

type SignInRow = {
  failures: Failures['failures'] | null
  endsAt: Date | null
  subjectId: string | null
  passwordHash: string | null
}

function isCandidate(row: SignInRow): row is SignInRow & Candidate {
  return row.subjectId !== null && row.passwordHash !== null
}

/**
 * A statement of its own, after the one that locked the subject's row: a sign-in that was under way
 * has then committed, and its session is seen, or will find the row changed.
 */
async function endAll(tx: Tx, subjectId: string, announce: Announce): Promise<void> {
  const ended = await tx.query<{ id: string }>(endSessions, [subjectId])
  await appendOutbox(tx, announce({ subjectId, sessionIds: ended.map(({ id }) => id) }))
}
