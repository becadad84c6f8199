import { type Database, sql } from '@halles/kit/database'
import type { Finding, FindingKind } from '../domain/findings.ts'
import type { FindingStore, StoredFinding } from '../ports.ts'

type FindingRow = {
  id: string
  kind: FindingKind
  order_id: string | null
  payment_id: string | null
  provider_reference: string | null
  detail: string
  found_at: Date
}

const columns = 'id, kind, order_id, payment_id, provider_reference, detail, found_at'

const resolveFindings = sql(
  'payments.resolve_findings',
  `update findings set resolved_at = $2
   where resolved_at is null and subject = any($1::text[])
     and not (subject || ' ' || kind) = any($3::text[])`,
)
const keepFinding = sql(
  'payments.keep_finding',
  `insert into findings
     (id, kind, subject, order_id, payment_id, provider_reference, detail, found_at)
   values (gen_random_uuid(), $1, $2, $3, $4, $5, $6, $7)
   on conflict (subject, kind) where resolved_at is null do update set detail = excluded.detail
   returning ${columns}`,
)
const listFindings = sql(
  'payments.list_findings',
  `select ${columns} from findings
   where resolved_at is null
     and ($1::timestamptz is null or (found_at, id) < ($1, $2::uuid))
   order by found_at desc, id desc limit $3`,
)
const countFindings = sql(
  'payments.count_findings',
  `select kind, count(*)::int as count from findings where resolved_at is null group by kind`,
)

export function createFindingStore(database: Database): FindingStore {
  return {
    async replace(subjects, findings, at) {
      const remaining = findings.map((finding) => `${subjectOf(finding)} ${finding.kind}`)
      await database.run(resolveFindings, [subjects, at, remaining])
      const kept: StoredFinding[] = []
      for (const finding of findings) {
        const { kind, orderId, paymentId, providerReference, detail } = finding
        const about = [orderId, paymentId, providerReference, detail, at]
        const values = [kind, subjectOf(finding), ...about]
        const lost = () => new Error('A finding could not be kept.')
        kept.push(toFinding(await database.one<FindingRow>(keepFinding, values, lost)))
      }
      return kept
    },
    async list({ after, limit }) {
      const values = [after?.at ?? null, after?.id ?? null, limit]
      return (await database.query<FindingRow>(listFindings, values)).map(toFinding)
    },
    async count() {
      const rows = await database.query<{ kind: FindingKind; count: number }>(countFindings)
      return new Map(rows.map(({ kind, count }) => [kind, count]))
    },
  }
}

function subjectOf({ paymentId, providerReference }: Finding): string {
  return paymentId ?? providerReference ?? ''
}

function toFinding({ id, kind, detail, ...row }: FindingRow): StoredFinding {
  const { order_id: orderId, payment_id: paymentId, provider_reference: providerReference } = row
  return { id, kind, orderId, paymentId, providerReference, detail, foundAt: row.found_at }
}
