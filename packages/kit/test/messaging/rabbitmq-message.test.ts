import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AsyncMessage } from 'rabbitmq-client'
import { isUuid } from '../../src/ids.ts'
import { readDelivery, toParcel, toStableId } from '../../src/messaging/rabbitmq/message.ts'
import { aMessage } from './effects.ts'

function aDelivery(changes: Partial<AsyncMessage>): AsyncMessage {
  return {
    consumerTag: 'c',
    deliveryTag: 1,
    redelivered: false,
    exchange: '',
    routingKey: 'q',
    body: Buffer.alloc(0),
    ...changes,
  }
}

test('a message and its earlier tries are read as they were written', () => {
  const message = aMessage(1)
  const failure = { at: message.time, attempt: 1, code: 'TEST_BROKEN', reason: 'No.' }
  const tries = { count: 1, history: [failure], failingSince: 5, retryAt: 7 }
  const parcel = toParcel(message, { exchange: 'e', routingKey: 'q' }, tries)
  const incoming = readDelivery(
    aDelivery({ headers: parcel.headers ?? {}, body: parcel.body }),
    'q',
  )
  assert.deepEqual(incoming, { message, isOurs: true, tries, deliveries: 0 })
})

test('the deliveries that the broker counted are told, and nonsense in headers is not believed', () => {
  const body = Buffer.from(JSON.stringify(aMessage(1)))
  const read = (headers: Record<string, unknown>) => readDelivery(aDelivery({ headers, body }), 'q')
  assert.equal(read({ 'x-delivery-count': 3 }).deliveries, 3)
  for (const header of ['{', 'null', '[]', '{"count":"x","history":1}', 7]) {
    const { tries, deliveries } = read({ 'halles-tries': header, 'x-delivery-count': 'x' })
    assert.equal(tries.count, 0)
    assert.deepEqual(tries.history, [])
    assert.equal(deliveries, 0)
  }
})

test('what is no message of ours is described, bounded, and the same each time', () => {
  const { data: _data, ...withoutData } = aMessage(1)
  const bodies = [Buffer.from('{'), Buffer.from('[]'), 'text', null, 5, withoutData]
  for (const body of bodies) {
    const delivery = aDelivery({ body, timestamp: 1_700_000_000, messageId: 'x'.repeat(500) })
    const { message, isOurs } = readDelivery(delivery, 'q')
    assert.equal(isOurs, false)
    assert.ok(isUuid(message.id))
    assert.ok(JSON.stringify(message).length < 1_000)
    assert.deepEqual(readDelivery(delivery, 'q').message, message)
  }
  const huge = readDelivery(aDelivery({ body: Buffer.alloc(1_000_000, 'x') }), 'q').message
  assert.ok(JSON.stringify(huge).length < 10_000)
})

test('a stable id sorts by its time and differs by its seed', () => {
  const at = new Date('2026-01-01T00:00:00Z')
  const id = toStableId(at, 'a')
  assert.ok(isUuid(id))
  assert.equal(toStableId(at, 'a'), id)
  assert.notEqual(toStableId(at, 'b'), id)
  assert.ok(toStableId(new Date(at.getTime() + 1), 'a') > id)
})
