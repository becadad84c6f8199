import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Product } from '@halles/contracts/gen/http/products'
import { eventually } from '@halles/kit/testing'
import { type Manifest, readManifest } from '../../stack/src/backup/manifest.ts'
import { halles } from '../e2e/halles.ts'
import { createShop, newEmail, unique } from '../e2e/shop.ts'
import { withTraffic } from '../e2e/traffic.ts'
import { walksOf } from '../e2e/walks.ts'
import { inDatabase } from './server.ts'

// Two starts of a whole stack and a restore, on cores that others use too.
const longTest = { timeout: 420_000 }
const recovery = { limitMs: 60_000, intervalMs: 200 }
// The relay of commands holds this lock while it sends (kit/relay): who has it keeps the outbox.
const commandRelayLock = 4_801_297_311

// The smallest PNG there is.
const png = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
)

describe('A shop that loses everything but its backup', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'halles-recovery-'))
  chmodSync(scratch, 0o711)
  const shop = createShop({
    HALLES_GATEWAY_RATE_LIMIT_FACTOR: '0',
    // Somebody else's machine: it survives ours.
    HALLES_STRIPE_SANDBOX_DATA_DIR: join(scratch, 'provider'),
  })
  const { api, stack } = shop
  const command = halles(stack.dataFolder)
  const kept = join(scratch, 'backup')
  before(() => stack.start())
  after(async () => {
    await stack.stop()
    rmSync(scratch, { recursive: true, force: true })
  })

  async function addPicture(product: Product): Promise<string> {
    const answer = await api.raw({
      method: 'POST',
      target: `/api/v1/products/${product.id}/images?alt=A%20basket`,
      headers: { 'content-type': 'image/png', authorization: `Bearer ${await shop.admin()}` },
      body: new Uint8Array(png),
    })
    assert.equal(answer.status, 201, JSON.stringify(answer.body))
    const found = await api.ask('getProduct', { params: { idOrSlug: product.slug } })
    const url = found.images.at(-1)?.url
    assert.ok(url)
    return url
  }

  test(
    'is kept while people shop, brought back table by table, and goes on selling',
    longTest,
    async (context) => {
      const sold = await shop.sell({ quantity: 10_000 })
      const picture = await addPicture(sold.product)
      const pictureBefore = await bytesOf(picture)
      const odette = await shop.signUp()
      const nina = await shop.signUp()
      const cart = await shop.cartWith({ [sold.variantId]: 2 }, odette.token)
      const paid = await shop.checkout(await shop.cartWith({ [sold.variantId]: 3 }))
      await shop.pay(paid)
      await shop.orderBecomes(paid, 'paid', paid.accessToken)
      const unpaid = await shop.checkout(await shop.cartWith({ [sold.variantId]: 1 }))

      // Her new password is in customers, and no message of it has left.
      const newPassword = `market-${unique()}`
      const failures = await inDatabase(
        stack,
        { database: 'users', role: 'customers' },
        async (client) => {
          await client.query('select pg_advisory_lock($1)', [commandRelayLock])
          await api.ask('changePassword', {
            token: nina.token,
            body: { currentPassword: nina.password, newPassword },
          })
          return withTraffic(walksOf(api, sold, odette.token), async () => {
            const done = await command('backup', kept, '--with-secrets')
            assert.equal(done.code, 0, done.err)
          })
        },
      )
      assert.deepEqual(failures, [], 'Nobody who shopped meanwhile was refused.')
      const manifest = readManifest(kept)
      context.diagnostic(`writers waited ${manifest.heldMs} ms for the backup`)
      assert.equal(rowsIn(manifest, 'customers', 'outbox'), 1)
      assert.equal(statSync(join(kept, 'secrets.json')).mode & 0o777, 0o600)

      // What happens now is lost to us, and not to the provider.
      await shop.pay(unpaid)
      await shop.orderBecomes(unpaid, 'paid', unpaid.accessToken)
      const lost = { email: newEmail(), password: `market-${unique()}`, name: 'Lost' }
      await api.ask('signUp', { body: lost })

      await stack.stop()
      assert.ok(!existsSync(stack.dataFolder))
      const restored = await command('restore', kept)
      assert.equal(restored.code, 0, restored.err)

      const again = join(scratch, 'again')
      assert.equal((await command('backup', again)).code, 0)
      assert.deepEqual(contentsOf(readManifest(again)), contentsOf(manifest))

      const refused = await command('restore', kept)
      assert.equal(refused.code, 1)
      assert.match(refused.err, /RESTORE_NOT_EMPTY/)

      await stack.start()
      assert.match((await command('restore', kept, '--force')).err, /STACK_RUNNING/)
      await shop.signIn(odette.email, odette.password)
      await shop.signIn(nina.email, newPassword)
      const { email, password } = nina
      await api.refused('signIn', { status: 401 }, { body: { email, password } })
      await api.refused(
        'signIn',
        { status: 401 },
        { body: { email: lost.email, password: lost.password } },
      )
      assert.deepEqual(await bytesOf(picture), pictureBefore)
      const seen = await api.ask('getCart', { params: { cartId: cart.id }, token: odette.token })
      assert.deepEqual(seen.total, cart.total)
      await shop.orderBecomes(paid, 'paid', paid.accessToken)

      await eventually(async () => {
        const done = await command('reconcile', '--since', '1h')
        assert.equal(done.code, 0, `${done.out}\n${done.err}`)
      }, recovery)
      await shop.orderBecomes(unpaid, 'paid', unpaid.accessToken)
      await shop.paidOrder(sold.variantId)
    },
  )

  async function bytesOf(url: string): Promise<Buffer> {
    const { pathname } = new URL(url, stack.url)
    const answer = await fetch(new URL(pathname, stack.url), {
      signal: AbortSignal.timeout(20_000),
    })
    assert.equal(answer.status, 200, url)
    return Buffer.from(await answer.arrayBuffer())
  }

  test('does not take a backup that is damaged, unfinished, or sealed with other secrets', async () => {
    const elsewhere = halles(join(scratch, 'elsewhere'))
    const unsealed = join(scratch, 'unsealed')
    assert.equal((await command('backup', unsealed)).code, 0)
    assert.match((await elsewhere('restore', unsealed)).err, /SECRETS_MISSING/)
    assert.match((await elsewhere('restore', scratch)).err, /BACKUP_UNREADABLE/)
    assert.equal((await elsewhere('restore', unsealed, '--check')).code, 0)
    writeFileSync(join(unsealed, 'orders/orders.copy.gz'), '')
    assert.match((await elsewhere('restore', unsealed, '--check')).err, /BACKUP_UNREADABLE/)
    assert.ok(!existsSync(join(scratch, 'elsewhere', 'postgres.json')))
  })
})

/** What is in every table, told by the hash of its rows. */
function contentsOf({ databases }: Manifest): Record<string, string> {
  return Object.fromEntries(
    databases.flatMap(({ part, tables }) =>
      tables.map(({ name, rows, sha256 }) => [`${part}.${name}`, `${rows} rows, ${sha256}`]),
    ),
  )
}

function rowsIn({ databases }: Manifest, part: string, table: string): number | undefined {
  const database = databases.find((each) => each.part === part)
  return database?.tables.find(({ name }) => name === table)?.rows
}
