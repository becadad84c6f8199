import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { migrate, sql } from '@halles/kit/database'
import { uuidv7 } from '@halles/kit/ids'
import { createTestDatabase } from '@halles/kit/testing'
import { createEventStore } from '../src/store/events.ts'
import { createPaymentStore } from '../src/store/payments.ts'

const folder = new URL('../migrations/', import.meta.url).pathname
const insertPayment = sql(
  'test.insert_old_payment',
  `insert into payments (id, order_id, status, lines, amount_minor, currency, expires_at,
     session_id, redirect_url, refund_id)
   values ($1, $2, $3, '[]', 2500, 'GBP', now(), $4, 'https://pay.example', $5)`,
)
const insertClosed = sql(
  'test.insert_old_closed',
  `insert into payments (id, order_id, status) values ($1, $1, 'cancelled')`,
)
const recordStatus = sql(
  'test.record_old_status',
  'update payments set status = $2, refund_id = $3 where order_id = $1',
)
const insertEvent = sql(
  'test.insert_old_event',
  `insert into provider_events (id, type, payload) values ('evt_old', 'x', '{"id": "evt_old"}')`,
)

test('payments and events of before keep what was known of them', async (t) => {
  const first = mkdtempSync(join(tmpdir(), 'halles-migrations-'))
  cpSync(join(folder, '0001_create_payments.sql'), join(first, '0001_create_payments.sql'))
  const { database, drop } = await createTestDatabase({ directory: first })
  t.after(async () => {
    rmSync(first, { recursive: true })
    await drop()
  })
  const orders = new Map<string, string>()
  for (const status of ['created', 'open', 'paid', 'cancelled', 'refunded']) {
    const orderId = uuidv7()
    orders.set(status, orderId)
    const session = status === 'created' ? null : `cs_${status}`
    const refund = status === 'refunded' ? 're_1' : null
    await database.run(insertPayment, [uuidv7(), orderId, status, session, refund])
  }
  const closedId = uuidv7()
  await database.run(insertClosed, [closedId])
  await database.run(insertEvent)
  await migrate(database, { directory: folder })
  const payments = createPaymentStore(database)
  const knowledge = async (status: string) => {
    const payment = await payments.findByOrder(orders.get(status) ?? '')
    assert.ok(payment)
    const { state, isClosed, revision, settledRevision } = payment
    assert.equal(settledRevision, revision)
    return [state.phase, state.capturedMinor, isClosed, state.refunds.length]
  }
  assert.deepEqual(await knowledge('created'), ['open', 0, false, 0])
  assert.deepEqual(await knowledge('open'), ['open', 0, false, 0])
  assert.deepEqual(await knowledge('paid'), ['captured', 2_500, false, 0])
  assert.deepEqual(await knowledge('cancelled'), ['ended', 0, true, 0])
  assert.deepEqual(await knowledge('refunded'), ['captured', 2_500, true, 1])
  const refunded = await payments.findByOrder(orders.get('refunded') ?? '')
  assert.deepEqual(refunded?.state.refunds, [
    { id: null, providerId: 're_1', amountMinor: 2_500, phase: 'succeeded', reason: null },
  ])
  assert.equal((await payments.findByOrder(closedId))?.state.phase, 'ended')
  assert.equal(await createEventStore(database).findPayload('evt_old'), '{"id": "evt_old"}')
})

test('what version 1 writes while it is replaced is understood', async (t) => {
  const { database, drop } = await createTestDatabase({ directory: folder })
  t.after(drop)
  const payments = createPaymentStore(database)
  const closedId = uuidv7()
  await database.run(insertClosed, [closedId])
  const closed = await payments.findByOrder(closedId)
  assert.deepEqual([closed?.isClosed, closed?.state.phase], [true, 'ended'])

  const orderId = uuidv7()
  await database.run(insertPayment, [uuidv7(), orderId, 'open', 'cs_1', null])
  for (const [status, refundId, expected] of [
    ['paid', null, ['captured', 2_500, false, []]],
    ['refunded', 're_1', ['captured', 2_500, true, ['re_1']]],
  ] as const) {
    await database.run(recordStatus, [orderId, status, refundId])
    const payment = await payments.findByOrder(orderId)
    assert.ok(payment)
    const { state, isClosed, revision, settledRevision } = payment
    const refunds = state.refunds.map(({ providerId }) => providerId)
    assert.deepEqual([state.phase, state.capturedMinor, isClosed, refunds], expected)
    assert.equal(settledRevision, revision)
  }
})
