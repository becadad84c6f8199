import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { uuidv7 } from '@halles/kit/ids'
import { demoCatalogue } from '../../src/demo-catalogue.ts'
import type { Deps } from '../../src/ports.ts'
import {
  getImport,
  runNextImport,
  seedCatalogue,
  startImport,
} from '../../src/use-cases/imports.ts'
import { euros, startStores, unique } from '../fixtures.ts'

let stores: Awaited<ReturnType<typeof startStores>>
before(async () => {
  stores = await startStores()
})
after(async () => stores?.drop())

const never = () => false
const isGoingOn = (deps: Deps) => runNextImport(deps, never)

async function importText(content: string) {
  const wanted = { content, currency: 'EUR', quantity: 30, createdBy: 'tester' }
  const { id } = await startImport(stores.deps, wanted)
  assert.equal(await isGoingOn(stores.deps), true)
  return getImport(stores.deps, id)
}

async function outboxCount(): Promise<number> {
  const { rows } = await stores.database.pool.query('select count(*)::int as n from outbox')
  return rows[0].n
}

function shopifyFile(count: number, mark = unique('row')) {
  const lines = Array.from(
    { length: count },
    (_, index) => `${mark}-${index},Title ${index},9.9${index % 10}`,
  )
  return ['Handle,Title,Variant Price', ...lines].join('\n')
}

test('the first start fills an empty catalogue once, whichever replica comes first', async () => {
  const seeded = await Promise.all([1, 2, 3].map(() => seedCatalogue(stores.deps, demoCatalogue)))
  assert.equal(seeded.filter(Boolean).length, 1)
  const { rows } = await stores.database.pool.query('select count(*)::int as n from products')
  assert.equal(rows[0].n, demoCatalogue.length)
})

test('a file is imported once: the second time changes and tells nothing', async () => {
  const file = shopifyFile(120)
  const first = await importText(file)
  assert.equal(first.status, 'finished')
  assert.deepEqual(
    [first.format, first.total, first.done, first.created],
    ['shopify', 120, 120, 120],
  )
  const told = await outboxCount()
  const second = await importText(file)
  assert.deepEqual([second.created, second.updated, second.unchanged], [0, 0, 120])
  assert.equal(await outboxCount(), told)
})

test('a changed price is updated and told; stock stays', async () => {
  const mark = unique('row')
  const [product] = [`Handle,Title,Variant Price\n${mark},Title,5.00`]
  await importText(product)
  const found = await stores.deps.catalogue.find(mark)
  const variantId = JSON.parse(found?.document ?? '{}').variants[0].id
  await stores.database.pool.query('update variants set on_hand = 3 where id = $1', [variantId])
  const again = await importText(product.replace('5.00', '6.00'))
  assert.deepEqual([again.updated, again.unchanged], [1, 0])
  const { rows } = await stores.database.pool.query(
    'select on_hand, price_minor from variants where id = $1',
    [variantId],
  )
  assert.deepEqual(rows, [{ on_hand: 3, price_minor: 600 }])
})

test('rejected rows are counted by their reason, collisions with the catalogue among them', async () => {
  const taken = await stores.add({ variants: [{ sku: unique('SKU'), price: euros(1) }] })
  const sku = taken.variants[0]?.sku
  const mark = unique('row')
  const file = [
    'Handle,Title,Variant Price,Variant SKU',
    `${mark}-a,Good,1.00,`,
    `${mark}-b,Bad price,x,`,
    `${mark}-c,Taken,1.00,${sku}`,
  ].join('\n')
  const result = await importText(file)
  assert.deepEqual([result.created, result.rejectedByReason.SKU_TAKEN], [1, 1])
  assert.equal(result.rejectedTotal, 2)
  assert.ok(result.rejected.some(({ reason }) => reason.includes(`${sku}`)))
})

test('a file of an unknown format fails with a sentence', async () => {
  const result = await importText('a,b\n1,2')
  assert.equal(result.status, 'failed')
  assert.match(result.problem ?? '', /format/)
})

test('a worker that dies is followed by another one behind the last batch', async () => {
  const wanted = { content: shopifyFile(120), currency: 'EUR', quantity: 1, createdBy: 'tester' }
  const { id } = await startImport(stores.deps, wanted)
  let batches = 0
  const dying: Deps = {
    ...stores.deps,
    imports: {
      ...stores.deps.imports,
      async applyBatch(claimed, batch) {
        batches += 1
        if (batches === 2) return new Promise<void>(() => undefined)
        await stores.deps.imports.applyBatch(claimed, batch)
      },
      finish: async () => assert.fail('A dead worker finishes nothing.'),
    },
  }
  const reached = new Promise<void>((resolve) => {
    const watch = setInterval(() => {
      if (batches < 2) return
      clearInterval(watch)
      resolve()
    }, 5)
  })
  const hanging = runNextImport(dying, never)
  await Promise.race([reached, hanging])
  assert.equal(await isGoingOn(stores.deps), false)
  assert.equal((await getImport(stores.deps, id)).done, 50)
  await stores.database.pool.query('update imports set locked_until = now() where id = $1', [id])
  assert.equal(await isGoingOn(stores.deps), true)
  const result = await getImport(stores.deps, id)
  assert.deepEqual([result.status, result.created, result.done], ['finished', 120, 120])
})

test('a worker that must stop gives its import back between two batches', async () => {
  const wanted = { content: shopifyFile(120), currency: 'EUR', quantity: 1, createdBy: 'tester' }
  const { id } = await startImport(stores.deps, wanted)
  let asked = 0
  await runNextImport(stores.deps, () => {
    asked += 1
    return asked > 1
  })
  assert.deepEqual((await getImport(stores.deps, id)).done, 50)
  assert.equal(await isGoingOn(stores.deps), true)
  assert.equal((await getImport(stores.deps, id)).created, 120)
})

test('too many imports at once are refused', async () => {
  const wanted = { content: shopifyFile(1), currency: 'EUR', quantity: 1, createdBy: 'tester' }
  for (let index = 0; index < 10; index += 1) await startImport(stores.deps, wanted)
  await assert.rejects(startImport(stores.deps, wanted), { code: 'IMPORTS_BUSY' })
  while (await isGoingOn(stores.deps));
  await assert.rejects(getImport(stores.deps, uuidv7()), { code: 'IMPORT_NOT_FOUND' })
})
