import { type Database, sql } from '@halles/kit/database'
import type { CheckoutDraft, PlacedCheckout } from './checkout-draft.ts'
import type { Sealer } from './sealing.ts'

/** What is kept encrypted. */
export type Secrets = {
  accessToken?: string
  refreshToken?: string
  /** Shown in the header. */
  name?: string
  /** Tokens of orders that were placed as a guest, by order. */
  orderTokens?: Readonly<Record<string, string>>
  /** What the checkout has been told so far. */
  checkout?: CheckoutDraft
  /** Where the last checkout led, for the same form sent once more. */
  placed?: PlacedCheckout
}

export type Session = {
  readonly idHash: Buffer
  readonly secrets: Secrets
  readonly customerId: string | null
  readonly accessExpiresAt: Date | null
  readonly cartId: string | null
  readonly cartCount: number
}

export type SessionChange = Partial<Omit<Session, 'idHash'>>

export type SessionStore = {
  /** Undefined when there is none, or it has expired. */
  find(idHash: Buffer): Promise<Session | undefined>
  create(session: Session): Promise<void>
  /** Changes what is named; false when the session is gone. Keeps it for longer. */
  update(idHash: Buffer, change: (session: Session) => SessionChange): Promise<boolean>
  remove(idHash: Buffer): Promise<void>
  /** True for one caller at a time, until the refresh is saved, given up or `forMs` have passed. */
  claimRefresh(idHash: Buffer, forMs: number): Promise<boolean>
  releaseRefresh(idHash: Buffer): Promise<void>
  /** Deletes a batch of expired sessions; returns how many. */
  removeExpired(limit: number): Promise<number>
}

type Row = {
  id_hash: Buffer
  sealed: Buffer | null
  customer_id: string | null
  access_expires_at: Date | null
  cart_id: string | null
  cart_count: number
}

// As long as auth keeps a session that nobody refreshes.
export const sessionDays = 30

const columns = 'id_hash, sealed, customer_id, access_expires_at, cart_id, cart_count'
const select = sql(
  'web.select_session',
  `select ${columns} from sessions where id_hash = $1 and expires_at > now()`,
)
const lock = sql(
  'web.lock_session',
  `select ${columns} from sessions where id_hash = $1 and expires_at > now() for update`,
)
const insert = sql(
  'web.insert_session',
  `insert into sessions (${columns}, expires_at)
   values ($1, $2, $3, $4, $5, $6, now() + make_interval(days => $7))`,
)
const save = sql(
  'web.save_session',
  `update sessions set sealed = $2, customer_id = $3, access_expires_at = $4, cart_id = $5,
     cart_count = $6, expires_at = now() + make_interval(days => $7)
   where id_hash = $1`,
)
const remove = sql('web.remove_session', 'delete from sessions where id_hash = $1')
const claim = sql(
  'web.claim_refresh',
  `update sessions set refresh_claimed_until = now() + make_interval(secs => $2::float8 / 1000)
   where id_hash = $1 and (refresh_claimed_until is null or refresh_claimed_until < now())`,
)
const release = sql(
  'web.release_refresh',
  'update sessions set refresh_claimed_until = null where id_hash = $1',
)
const removeExpired = sql(
  'web.remove_expired_sessions',
  `delete from sessions where id_hash in (
     select id_hash from sessions where expires_at < now() limit $1 for update skip locked)`,
)

/** Sessions in PostgreSQL: any number of replicas share them. */
export function createSessionStore(database: Database, sealer: Sealer): SessionStore {
  const toSession = (row: Row): Session => ({
    idHash: row.id_hash,
    secrets: row.sealed ? ((sealer.open(row.sealed, row.id_hash) ?? {}) as Secrets) : {},
    customerId: row.customer_id,
    accessExpiresAt: row.access_expires_at,
    cartId: row.cart_id,
    cartCount: row.cart_count,
  })
  const toValues = (session: Session) => [
    session.idHash,
    Object.keys(session.secrets).length > 0 ? sealer.seal(session.secrets, session.idHash) : null,
    session.customerId,
    session.accessExpiresAt,
    session.cartId,
    session.cartCount,
    sessionDays,
  ]
  return {
    async find(idHash) {
      const row = await database.maybe<Row>(select, [idHash])
      return row && toSession(row)
    },
    async create(session) {
      await database.run(insert, toValues(session))
    },
    update: (idHash, change) =>
      // Locked, so that a cart's count does not overwrite tokens that were refreshed meanwhile.
      database.transaction(async (tx) => {
        const row = await tx.maybe<Row>(lock, [idHash])
        if (!row) return false
        const session = toSession(row)
        await tx.run(save, toValues({ ...session, ...change(session) }))
        return true
      }),
    async remove(idHash) {
      await database.run(remove, [idHash])
    },
    claimRefresh: async (idHash, forMs) => (await database.run(claim, [idHash, forMs])) === 1,
    async releaseRefresh(idHash) {
      await database.run(release, [idHash])
    },
    removeExpired: (limit) => database.run(removeExpired, [limit]),
  }
}
