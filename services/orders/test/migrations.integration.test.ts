import assert from 'node:assert/strict'
import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { uuidv7 } from '@halles/kit/ids'
import { migrate } from '@halles/kit/migrations'
import { outboxSchema } from '@halles/kit/outbox'
import { createTestDatabase } from '@halles/kit/testing'
import { paymentStatusOf } from '../src/domain/payment.ts'
import { settle } from '../src/domain/settle.ts'
import { replayTimeline, summarize } from '../src/domain/timeline.ts'
import { createOrderStore } from '../src/store/orders.ts'
import { address, aLine, aState, moment } from './fixtures.ts'

const migrations = new URL('../migrations/', import.meta.url)

test('orders of the first version stay what they were and go on from there', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'orders-'))
  await copyFile(
    new URL('0001_create_orders.sql', migrations),
    join(directory, '0001_create_orders.sql'),
  )
  const { database, drop } = await createTestDatabase({ directory, schemas: [outboxSchema] })
  try {
    const kinds = [
      ['pending_payment', 'pending'],
      ['paid', 'paid'],
      ['cancelled', 'cancelled'],
      ['cancelled', 'refunded'],
    ] as const
    const ids = kinds.map(() => uuidv7())
    for (const [index, [status, paymentStatus]] of kinds.entries()) {
      await database.pool.query(
        `insert into orders (id, version, status, cart_id, shipping_address, lines, total_minor,
          currency, payment_id, payment_status, redirect_url, expires_at, placed_at,
          cancellation_requested_at)
         values ($1, 2, $2, $1, $3, $4, 2500, 'GBP', 'p', $5, 'https://pay.example', now(), now(), $6)`,
        [
          ids[index],
          status,
          address,
          JSON.stringify([aLine()]),
          paymentStatus,
          status === 'cancelled' ? new Date() : null,
        ],
      )
    }
    await migrate(database, { directory: migrations.pathname, schemas: [outboxSchema] })
    const orders = createOrderStore(database)
    for (const [index, [status, paymentStatus]] of kinds.entries()) {
      const order = (await orders.find(ids[index] ?? '')) ?? assert.fail('the order is gone')
      assert.deepEqual([order.status, paymentStatusOf(order)], [status, paymentStatus])
      assert.deepEqual(replayTimeline(await orders.timeline(order.id)), summarize(order))
    }
    const [waiting = ''] = ids
    const settled = await orders.update(waiting, (order) =>
      settle(order, aState(order, { phase: 'captured' }), moment()),
    )
    assert.equal(settled?.order.status, 'paid')
    assert.deepEqual(replayTimeline(await orders.timeline(waiting)), summarize(settled.order))
  } finally {
    await drop()
    await rm(directory, { recursive: true })
  }
})
