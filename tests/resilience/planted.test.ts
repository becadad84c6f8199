import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { sql } from '@halles/kit/database'
import { eventually } from '@halles/kit/testing'
import { type Account, changePassword } from './accounts.ts'
import { findComplaints } from './checker.ts'
import { type Facts, gatherFacts } from './facts.ts'
import { withoutRelay } from './faults.ts'
import { changePrice, type Listing } from './listings.ts'
import { type Platform, type Service, startPlatform } from './platform.ts'
import { outboxRows, untilSettled } from './settled.ts'
import { findVisibleComplaints } from './storefront.ts'
import { openForBusiness } from './workload.ts'

const dropMessages = sql('planted.drop', 'delete from outbox')
// The same effect under the id of another message: what a broker repeats keeps its id.
const doubleMessages = sql(
  'planted.double',
  `insert into outbox (address_kind, address_name, partition_key, message)
   select address_kind, address_name, partition_key, 
     message || jsonb_build_object('id', gen_random_uuid())
   from outbox`,
)
const readCredentials = sql(
  'planted.read_credentials',
  'select password_hash as hash, version from credentials where subject_id = $1',
)
const writeCredentials = sql(
  'planted.write_credentials',
  'update credentials set password_hash = $2, version = $3 where subject_id = $1',
)
const writeReplica = sql(
  'planted.write_replica',
  `with product as (
     update replica_products set version = $2 where product_id = $1 returning product_id
   )
   update replica_variants set amount_minor = $3 where product_id = (select product_id from product)`,
)
const doublePrice = sql(
  'planted.double_price',
  `insert into price_history (variant_id, changed_by, changed_at, from_minor, to_minor, currency)
   select variant_id, changed_by, changed_at, from_minor, to_minor, currency
   from price_history where variant_id = $1`,
)

// What is dropped does not come, and nothing else is broken here.
const patienceMs = 2_000

// One message more or less would go unnoticed beside those of the plants before it.
const since = (before: Facts, facts: Facts): Facts => ({
  ...facts,
  commandsSent: facts.commandsSent - before.commandsSent,
  commandsApplied: facts.commandsApplied - before.commandsApplied,
})

/** Faults that the platform does not have, made by hand, each on people and goods of its own. */
describe('The checker', () => {
  let platform: Platform
  before(async () => {
    platform = await startPlatform()
  })
  after(() => platform.stop())

  /** A customer with two sessions and a product, with what is known before anything changes. */
  async function setTheStage() {
    const memory = await openForBusiness(platform.shop, 1)
    const [account] = memory.accounts
    const [listing] = memory.listings
    assert.ok(account && listing)
    await untilSettled(platform, patienceMs)
    const before = await gatherFacts(platform, memory)
    async function change(): Promise<void> {
      const { api, admin } = platform.shop
      assert.equal(await changePassword(api, account as Account), 'accepted')
      assert.equal(await changePrice(api, await admin(), listing as Listing), 'accepted')
    }
    async function complaints(): Promise<string[]> {
      await untilSettled(platform, patienceMs)
      return findComplaints(memory, since(before, await gatherFacts(platform, memory)))
    }
    return { memory, account, listing, change, complaints }
  }

  /** Makes the change, and tampers with the messages of it before they are sent. */
  async function tamper(
    senders: readonly Service[],
    change: () => Promise<void>,
    statement: typeof dropMessages,
  ): Promise<void> {
    const [sender, ...others] = senders
    if (sender === undefined) return change()
    await withoutRelay(platform, sender, async (tx) => {
      await tamper(others, change, statement)
      await eventually(async () => (await outboxRows(platform, sender)) > 0)
      await tx.run(statement)
    })
  }

  test('has nothing to say when every change has arrived', async () => {
    const { memory, change, complaints } = await setTheStage()
    await change()
    assert.deepEqual(await complaints(), [])
    assert.deepEqual(await findVisibleComplaints(platform, memory), [])
  })

  test('catches a pair that was swapped', async () => {
    const { memory, account, listing, change, complaints } = await setTheStage()
    const customer = `customer ${account.id}`
    const product = `product ${listing.productId}`
    const auth = platform.database('auth')
    const older = await auth.maybe<{ hash: string; version: number }>(readCredentials, [account.id])
    await change()
    await untilSettled(platform, patienceMs)
    await auth.run(writeCredentials, [account.id, older?.hash, older?.version])
    await platform.database('carts').run(writeReplica, [listing.productId, 1, 1_000])
    assert.deepEqual(await complaints(), [
      `${customer}: auth holds password 0 (version 1), customers password 1 (version 2)`,
      `${product}: carts shows 1000 (version 1), products 99999 (version 2)`,
    ])
    assert.deepEqual(await findVisibleComplaints(platform, memory), [
      `${customer}: password 0 answers 201`,
      `${customer}: the newest password does not sign in`,
      `${product}: a cart shows 1000, not 99999`,
    ])
  })

  test('catches an effect that was made twice', async () => {
    const { account, listing, change, complaints } = await setTheStage()
    const customer = `customer ${account.id}`
    const product = `product ${listing.productId}`
    await tamper(
      ['auth'],
      () => tamper(['customers', 'products'], change, doubleMessages),
      doubleMessages,
    )
    await platform.database('products').run(doublePrice, [listing.variantId])
    assert.deepEqual(await complaints(), [
      ...account.sessions.map(({ id }) => `${customer}: the end of session ${id} was told 2 times`),
      'auth applied 2 commands, customers sent 1',
      `${product}: the price 99999 was set 2 times`,
      `${product}: products is at version 2 after 2 changes`,
      `${product}: version 2 is in 2 events`,
    ])
  })

  test('catches a message that was dropped, also when a later one hides it', async () => {
    const { account, listing, change, complaints } = await setTheStage()
    const customer = `customer ${account.id}`
    const product = `product ${listing.productId}`
    await tamper(['customers', 'products'], change, dropMessages)
    assert.deepEqual(await complaints(), [
      `${customer}: auth holds password 0 (version 1), customers password 1 (version 2)`,
      ...account.sessions.flatMap(({ id }) => [
        `${customer}: session ${id} of password 0 is alive`,
        `${customer}: the end of session ${id} was told 0 times`,
      ]),
      'auth applied 0 commands, customers sent 1',
      `${product}: version 2 is in 0 events`,
      `${product}: carts shows 1000 (version 1), products 99999 (version 2)`,
      `${product}: wishlists shows 1000 (version 1), products 99999 (version 2)`,
    ])
    await change()
    assert.deepEqual(await complaints(), [
      'auth applied 1 commands, customers sent 2',
      `${product}: version 2 is in 0 events`,
    ])
  })
})
