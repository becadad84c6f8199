import { type Database, sql } from '@halles/kit/database'
import { appendOutbox, outboxInsert, toOutboxRows } from '@halles/kit/outbox'
import { sessionLimits, throttleLimits } from '../domain.ts'
import type { SessionStore } from '../ports.ts'

// The locks on the subject's credentials and roles wait for a change of them that is under way:
// either that change then ends this session, or this sign-in sees what it changed.
const openSession = sql(
  'auth.open_session',
  `with proven as (
    select subject_id from credentials where subject_id = $2 and password_hash = $7 for share
  ), held as (
    select roles from assignments where subject_id = (select subject_id from proven) for share
  ), allowed as (
    select subject_id from proven where not exists (
      select 1 from sign_in_failures where email_hash = $8 and failures >= $9 and ends_at > $5
    )
  ), opened as (
    insert into sessions
      (id, subject_id, refresh_hash, refresh_expires_at, created_at, expires_at, last_used_at, device)
    select $1, subject_id, $3, $4, $5, $6, $5, $10 from allowed
    returning id
  ), forgiven as (
    delete from sign_in_failures where email_hash = $8 and exists (select 1 from allowed)
  )
  select coalesce((select roles from held), '{}') as roles from opened`,
)
// Of two that bring the same token the second waits for the row, and then finds another hash.
const rotateToken = sql(
  'auth.rotate_token',
  `with rotated as (
    update sessions
    set refresh_hash = $2, last_used_at = $3,
      refresh_expires_at = least($3::timestamptz + $4 * interval '1 millisecond', expires_at)
    where refresh_hash = $1 and refresh_expires_at > $3
    returning id, subject_id, old.refresh_expires_at as used_until
  ), used as (
    insert into used_refresh_tokens (refresh_hash, session_id, expires_at)
    select $1, id, used_until from rotated
  )
  select rotated.id, rotated.subject_id as "subjectId", coalesce(roles, '{}') as roles
  from rotated left join assignments using (subject_id)`,
)
const selectReused = sql(
  'auth.select_reused',
  `select sessions.id, subject_id as "subjectId"
   from used_refresh_tokens as used join sessions on sessions.id = used.session_id
   where used.refresh_hash = $1`,
)
const deleteSession = sql(
  'auth.delete_session',
  `with changed as (
    delete from sessions where id = $1 and subject_id = $2 returning id
  ), emitted as (${outboxInsert(3, 'changed')})
  select id from changed`,
)
const selectSessions = sql(
  'auth.select_sessions',
  `select id, device, created_at as "createdAt",
     coalesce(last_used_at, created_at) as "lastUsedAt",
     least(refresh_expires_at, expires_at) as "expiresAt"
   from sessions where subject_id = $1 and refresh_expires_at > $2 and expires_at > $2
   order by coalesce(last_used_at, created_at) desc, id limit $3`,
)
const deleteAll = sql(
  'auth.delete_all_sessions',
  `delete from sessions
   where subject_id = $1
     and exists (select 1 from sessions as own where own.id = $2 and own.subject_id = $1)
   returning id`,
)

// A batch that deletes in well under the statement time-out.
const pruneBatch = 2_000
// Each row costs whoever causes it an argon2id hash, so a core can fill this in about 22 minutes,
// and rows end after 15; what lies beyond is dropped, the oldest first.
const maxFailureRows = 100_000

// Used tokens before the sessions, whose deletion would take all of theirs along in one statement.
// Rows that another replica deletes at the moment are left to it.
const prunes = [
  { table: 'used_refresh_tokens', rows: 'where expires_at <= $1 limit $2' },
  { table: 'sessions', rows: 'where refresh_expires_at <= $1 limit $2' },
  { table: 'sign_in_failures', rows: 'where ends_at <= $1 limit $2' },
].map(({ table, rows }) =>
  sql(
    `auth.prune_${table}`,
    `delete from ${table} where ctid = any (array(
      select ctid from ${table} ${rows} for update skip locked
    ))`,
  ),
)
const pruneExcess = sql(
  'auth.prune_excess_failures',
  `delete from sign_in_failures where ctid = any (array(
    select ctid from sign_in_failures order by ends_at desc offset $1 limit $2
  ))`,
)

/** Sessions and their refresh tokens, of which only hashes are stored. */
export function createSessionStore(database: Database): SessionStore {
  return {
    async open(session, { passwordHash, emailHash }) {
      const opened = await database.maybe<{ roles: string[] }>(openSession, [
        session.id,
        session.subjectId,
        session.refreshHash,
        session.refreshExpiresAt,
        session.createdAt,
        session.expiresAt,
        passwordHash,
        emailHash,
        throttleLimits.failures,
        session.device,
      ])
      return opened?.roles
    },
    rotate: (refreshHash, { refreshHash: nextHash, at }) =>
      database.maybe(rotateToken, [refreshHash, nextHash, at, sessionLimits.refreshMs]),
    async revokeReused(refreshHash, announce) {
      const reused = await database.maybe<{ id: string; subjectId: string }>(selectReused, [
        refreshHash,
      ])
      if (!reused) return false
      await this.revokeOne(reused, announce)
      return true
    },
    async revokeOne({ id, subjectId }, announce) {
      const messages = announce({ subjectId, sessionIds: [id] })
      const ended = await database.query(deleteSession, [id, subjectId, toOutboxRows(messages)])
      return ended.length > 0
    },
    list: (subjectId, { at, limit }) => database.query(selectSessions, [subjectId, at, limit]),
    revokeAll: ({ id, subjectId }, announce) =>
      database.transaction(async (tx) => {
        const ended = await tx.query<{ id: string }>(deleteAll, [subjectId, id])
        await appendOutbox(tx, announce({ subjectId, sessionIds: ended.map((row) => row.id) }))
        return ended.length > 0
      }),
    async prune(at) {
      const removed = [await database.run(pruneExcess, [maxFailureRows, pruneBatch])]
      for (const statement of prunes) removed.push(await database.run(statement, [at, pruneBatch]))
      return removed.includes(pruneBatch)
    },
  }
}
