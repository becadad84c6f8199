import { type Database, isUniqueViolation, sql, type Tx } from '@halles/kit/database'
import { AppError } from '@halles/kit/errors'
import type { Known } from '../domain/import.ts'
import type { Change } from '../domain/product.ts'
import type { ClaimedImport, Import, ImportBatch, ImportStore } from '../ports.ts'
import { lockProducts, saveChanges } from './changes.ts'

// A batch takes well under a second; reading the largest file a few. A worker that is silent for
// longer is taken for dead.
const leaseSeconds = 60
// Each may hold 16 MiB, and they run one after another.
const maxRunning = 10
const maxRejections = 1_000
// Every replica must take the same number.
const seedLock = 4_801_297_401

const view = `id, status, format, total, done, created, updated, unchanged,
  rejected_total as "rejectedTotal", rejected_by_reason as "rejectedByReason", rejected, problem,
  created_at as "createdAt"`

const insert = sql(
  'products.insert_import',
  `insert into imports (id, status, content, currency, quantity, created_by, created_at)
   select $1, 'running', $2, $3, $4, $5, $6
   where (select count(*) from imports where status = 'running') < $7
   returning ${view}`,
)
const select = sql('products.select_import', `select ${view} from imports where id = $1`)
const claim = sql(
  'products.claim_import',
  `update imports set locked_by = $1, locked_until = now() + make_interval(secs => ${leaseSeconds})
   where id = (
     select id from imports where status = 'running' and coalesce(locked_until, now()) <= now()
     order by created_at limit 1 for update skip locked
   )
   returning id, locked_by as claim, content, currency, quantity, format is not null as "isRead",
     done`,
)
const recordParsed = sql(
  'products.record_parsed',
  `update imports set format = $3, total = $4, rejected_total = $5, rejected_by_reason = $6,
     rejected = $7, locked_until = now() + make_interval(secs => ${leaseSeconds})
   where id = $1 and locked_by = $2 and format is null`,
)
const recordBatch = sql(
  'products.record_batch',
  `update imports set done = done + $3, created = created + $4, updated = updated + $5,
     unchanged = unchanged + $6, rejected_total = rejected_total + $7, rejected_by_reason = $8,
     rejected = $9, locked_until = now() + make_interval(secs => ${leaseSeconds})
   where id = $1 and locked_by = $2`,
)
const lockProgress = sql(
  'products.lock_import',
  `select rejected_by_reason as "byReason", rejected from imports
   where id = $1 and locked_by = $2 and status = 'running' for update`,
)
const finish = sql(
  'products.finish_import',
  `update imports set status = $3, problem = $4, content = null, locked_by = null,
     locked_until = null, finished_at = now()
   where id = $1 and locked_by = $2`,
)
const giveBack = sql(
  'products.give_back_import',
  'update imports set locked_by = null, locked_until = null where id = $1 and locked_by = $2',
)
const selectKnown = sql(
  'products.select_known',
  `select id, slug, null as sku from products where slug = any ($1::text[]) and status <> 'removed'
   union all
   select product_id, null, sku from variants where sku = any ($2::text[]) and not is_removed`,
)
// Until statistics are taken, which happens within a minute by itself, the list would go on with
// the plan of the catalogue's former size.
const analyze = sql('products.analyze', 'analyze products, variants')
const lockSeed = sql('products.lock_seed', 'select pg_advisory_xact_lock($1)')
const selectAny = sql('products.select_any', 'select 1 from products limit 1')

export function createImportStore(database: Database): ImportStore {
  return {
    async add(wanted) {
      const { id, content, currency, quantity, createdBy, createdAt } = wanted
      const values = [id, content, currency, quantity, createdBy, createdAt, maxRunning]
      return database.one<Import>(insert, values, importsBusy)
    },
    find: (id) => database.maybe<Import>(select, [id]),
    claim: (claimId) => database.maybe<ClaimedImport>(claim, [claimId]),
    async recordParsed({ id, claim }, parsed) {
      const { format, products, rejectedTotal, rejectedByCode, rejected } = parsed
      const list = rejected.slice(0, maxRejections).map(({ line, reason }) => ({ line, reason }))
      await database.run(recordParsed, [
        id,
        claim,
        format,
        products.length,
        rejectedTotal,
        JSON.stringify(rejectedByCode),
        JSON.stringify(list),
      ])
    },
    applyBatch: (claimed, batch) =>
      withRetry(() =>
        database.transaction(async (tx) => {
          type Progress = { byReason: Record<string, number>; rejected: Import['rejected'] }
          const values = [claimed.id, claimed.claim]
          const before = await tx.one<Progress>(lockProgress, values, leaseLost)
          const { counts, rejections } = await upsertBatch(tx, batch, `import:${claimed.id}`)
          const byReason = { ...before.byReason }
          for (const { code } of rejections) byReason[code] = (byReason[code] ?? 0) + 1
          // The parser yields whole products: the line of one is no longer known.
          const added = rejections.map(({ reason }) => ({ line: 0, reason }))
          await tx.run(recordBatch, [
            ...values,
            batch.products.length,
            counts.created,
            counts.updated,
            counts.unchanged,
            rejections.length,
            JSON.stringify(byReason),
            JSON.stringify([...before.rejected, ...added].slice(0, maxRejections)),
          ])
        }),
      ),
    async finish({ id, claim }, problem) {
      const status = problem === undefined ? 'finished' : 'failed'
      await database.run(finish, [id, claim, status, problem ?? null])
      await database.run(analyze)
    },
    async giveBack({ id, claim }) {
      await database.run(giveBack, [id, claim])
    },
    async seed(batch) {
      const isSeeded = await database.transaction(async (tx) => {
        await tx.run(lockSeed, [seedLock])
        if (await tx.maybe(selectAny)) return false
        await upsertBatch(tx, batch, 'demo-catalogue')
        return true
      })
      if (isSeeded) await database.run(analyze)
      return isSeeded
    },
  }
}

// An edit at the same moment may take a slug or a SKU; the next try sees it and rejects. More
// than two such collisions in one batch are no coincidence.
async function withRetry(work: () => Promise<void>, triesLeft = 3): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!isUniqueViolation(error) || triesLeft === 1) throw error
    await withRetry(work, triesLeft - 1)
  }
}

async function upsertBatch(tx: Tx, { products, plan }: ImportBatch, by: string) {
  const known = await findKnown(tx, products)
  const counts = { created: 0, updated: 0, unchanged: 0 }
  const rejections: { code: string; reason: string }[] = []
  const changes: Change[] = []
  for (const product of products) {
    const outcome = plan(product, known)
    if (outcome.kind === 'rejected') rejections.push(outcome)
    else counts[outcome.kind] += 1
    if ('change' in outcome) changes.push(outcome.change)
  }
  await saveChanges(tx, changes, by)
  return { counts, rejections }
}

async function findKnown(tx: Tx, imported: ImportBatch['products']): Promise<Known> {
  type KnownRow = { id: string; slug: string | null; sku: string | null }
  const rows = await tx.query<KnownRow>(selectKnown, [
    imported.map(({ slug }) => slug),
    imported.flatMap(({ variants }) => variants.map(({ sku }) => sku)),
  ])
  const locked = await lockProducts(tx, [...new Set(rows.map(({ id }) => id))])
  const live = locked.filter(({ status }) => status !== 'removed')
  return {
    products: new Map(live.map((product) => [product.id, product])),
    slugs: new Map(live.map(({ id, slug }) => [slug, id])),
    skus: new Map(live.flatMap(({ id, variants }) => variants.map(({ sku }) => [sku, id]))),
  }
}

function importsBusy(): AppError {
  return new AppError('too-many', 'IMPORTS_BUSY', 'Wait for the imports that run already.', {
    retryAfterSeconds: 30,
  })
}

function leaseLost(): AppError {
  return new AppError('unavailable', 'IMPORT_LEASE_LOST', 'Another worker took over this import.')
}
