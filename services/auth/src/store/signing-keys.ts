import { type Database, sql } from '@halles/kit/database'
import type { SigningKeyStore, StoredKey } from '../ports.ts'

const columns =
  'kid, public_key as "publicKey", private_key as "privateKey", created_at as "createdAt"'
// Keys are renewed every few months and live some minutes longer; ten can only be a fault.
const selectKeys = sql(
  'auth.select_keys',
  `select ${columns} from signing_keys where retires_at is null or retires_at > $1
   order by created_at desc limit 10`,
)
const lockRenewal = sql('auth.lock_key_renewal', 'select pg_advisory_xact_lock($1)')
const renewalLockKey = 4_801_297_402
const insertKey = sql(
  'auth.insert_key',
  `insert into signing_keys (kid, public_key, private_key, created_at)
   select $1, $2, $3, $4
   where not exists (select 1 from signing_keys where retires_at is null and created_at > $5)`,
)
const retireOthers = sql(
  'auth.retire_keys',
  'update signing_keys set retires_at = $2 where kid <> $1 and retires_at is null',
)
const resealKey = sql('auth.reseal_key', 'update signing_keys set private_key = $2 where kid = $1')
const deleteRetired = sql(
  'auth.delete_retired_keys',
  'delete from signing_keys where retires_at <= $1',
)

/** The signing keys that all replicas share. */
export function createSigningKeyStore(database: Database): SigningKeyStore {
  return {
    list: (at) => database.query<StoredKey>(selectKeys, [at]),
    renew: ({ kid, publicKey, privateKey, createdAt }, { olderThan, retireOthersAt }) =>
      database.transaction(async (tx) => {
        // Held for three small statements: two replicas that start at once must agree on one key.
        await tx.query(lockRenewal, [renewalLockKey])
        const key = [kid, JSON.stringify(publicKey), privateKey, createdAt, olderThan]
        if ((await tx.run(insertKey, key)) === 0) return
        await tx.run(retireOthers, [kid, retireOthersAt])
        await tx.run(deleteRetired, [createdAt])
      }),
    async reseal({ kid, privateKey }) {
      await database.run(resealKey, [kid, privateKey])
    },
  }
}
