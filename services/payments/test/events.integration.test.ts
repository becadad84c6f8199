import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { AppError } from '@halles/kit/errors'
import { uuidv7 } from '@halles/kit/ids'
import { cancelPayment } from '../src/use-cases/cancel-payment.ts'
import { createPayment } from '../src/use-cases/create-payment.ts'
import { receiveEvent, replayEvent } from '../src/use-cases/receive-event.ts'
import { refundPayment } from '../src/use-cases/refund-payment.ts'
import { anEvent, deadOrder, delivered } from './fixtures.ts'
import { crashing, openUseCases } from './harness.ts'

const { drop, setUp, eventOf, stores } = await openUseCases()
after(drop)

async function paidAtProvider(answer?: Parameters<typeof setUp>[0]) {
  const shop = setUp(answer)
  const { paymentId } = await createPayment(shop.deps, shop.terms)
  shop.pay(shop.orderId)
  return { ...shop, paymentId, event: await shop.aNotice() }
}

test('a paid session costs one call of orders and none of the provider', async () => {
  const { deps, event, settled, calls, paymentOf } = await paidAtProvider()
  calls.length = 0
  assert.equal(await receiveEvent(deps, delivered(event)), 'applied')
  assert.deepEqual(calls, [])
  assert.deepEqual(
    settled.map(({ cause, payment }) => [cause, payment.state.phase, payment.revision]),
    [[`event:${event.id}`, 'captured', 1]],
  )
  const { settledRevision, intentId } = await paymentOf()
  assert.deepEqual([settledRevision, intentId], [1, event.notice.intentId])
})

test('an event that was applied is answered again without asking orders', async () => {
  const { deps, event, settled } = await paidAtProvider()
  assert.equal(await receiveEvent(deps, delivered(event)), 'applied')
  assert.equal(await receiveEvent(deps, delivered(event)), 'duplicate')
  assert.equal(settled.length, 1)
  assert.deepEqual(await eventOf(event), { outcome: 'applied', attempts: 2, lastFailure: null })
})

test('another event with the same news is a duplicate, and orders is not asked', async () => {
  const { deps, event, settled, aNotice } = await paidAtProvider()
  await receiveEvent(deps, delivered(event))
  assert.equal(await receiveEvent(deps, delivered(await aNotice())), 'duplicate')
  assert.equal(settled.length, 1)
})

test('an event that orders could not take stays retriable, and is applied when orders is back', async () => {
  let isDown = true
  const outage = new AppError('unavailable', 'UPSTREAM_UNAVAILABLE', 'Down.')
  const { deps, event } = await paidAtProvider(() => (isDown ? outage : 'applied'))
  const refused = { kind: 'unavailable', code: 'ORDERS_UNAVAILABLE' }
  await assert.rejects(receiveEvent(deps, delivered(event)), refused)
  await assert.rejects(receiveEvent(deps, delivered(event)), refused)
  assert.deepEqual(await eventOf(event), {
    outcome: null,
    attempts: 2,
    lastFailure: 'ORDERS_UNAVAILABLE',
  })
  isDown = false
  assert.equal(await receiveEvent(deps, delivered(event)), 'applied')
})

test('an event that is refused for good is refused the same ever after, until it is replayed', async () => {
  let isRight = false
  const mismatch = new AppError('conflict', 'PAYMENT_MISMATCH', 'Another.')
  const { deps, event, settled } = await paidAtProvider(() => (isRight ? 'applied' : mismatch))
  const refused = { kind: 'conflict', code: 'PAYMENT_MISMATCH', message: 'Another.' }
  await assert.rejects(receiveEvent(deps, delivered(event)), refused)
  await assert.rejects(receiveEvent(deps, delivered(event)), refused)
  assert.equal(settled.length, 1)
  const asked = { eventId: event.id, subjectId: uuidv7() }
  await assert.rejects(replayEvent(deps, asked), refused)
  isRight = true
  assert.equal(await replayEvent(deps, asked), 'applied')
  assert.equal(await receiveEvent(deps, delivered(event)), 'duplicate')
  const unknown = { ...asked, eventId: 'evt_unknown' }
  await assert.rejects(replayEvent(deps, unknown), { kind: 'not-found', code: 'EVENT_NOT_FOUND' })
})

test('money for a dead order is returned once, and orders is told', async () => {
  const { deps, event, settled, stateOf, orderId } = await paidAtProvider(deadOrder)
  assert.equal(await receiveEvent(deps, delivered(event)), 'applied')
  assert.deepEqual(
    settled.map(({ payment }) => payment.state.refunds.map(({ phase }) => phase)),
    [[], ['succeeded']],
  )
  assert.equal(stateOf(orderId).refunds.length, 1)
})

test('money that is held for a dead order is let go', async () => {
  const { deps, terms, orderId, happen, aNotice, stateOf } = setUp(deadOrder)
  await createPayment(deps, terms)
  happen(orderId, { phase: 'authorized' })
  const event = await aNotice({ isComplete: false })
  assert.equal(await receiveEvent(deps, delivered(event)), 'applied')
  assert.equal(stateOf(orderId).phase, 'ended')
})

test('a dead order’s money under dispute waits for the end of the dispute', async () => {
  const { deps, event, happen, orderId, aNotice, stateOf } = await paidAtProvider(deadOrder)
  happen(orderId, { disputes: [{ id: 'du_1', amountMinor: 2_500, phase: 'open' }] })
  assert.equal(await receiveEvent(deps, delivered(event)), 'applied')
  const opened = await aNotice({ isComplete: false })
  assert.equal(await receiveEvent(deps, delivered(opened)), 'applied')
  assert.equal(stateOf(orderId).refunds.length, 0)
  happen(orderId, { disputes: [{ id: 'du_1', amountMinor: 2_500, phase: 'won' }] })
  await receiveEvent(deps, delivered(await aNotice({ isComplete: false })))
  assert.equal(stateOf(orderId).refunds.length, 1)
})

test('a refund that a bank keeps sending back is given up', async () => {
  const { deps, event, happen, orderId, aNotice, stateOf } = await paidAtProvider(deadOrder)
  await receiveEvent(deps, delivered(event))
  for (let time = 0; time < 8; time += 1) {
    const refunds = stateOf(orderId).refunds.map((each) => ({ ...each, phase: 'failed' as const }))
    happen(orderId, { refunds })
    await receiveEvent(deps, delivered(await aNotice({ isComplete: false })))
  }
  assert.equal(stateOf(orderId).refunds.length, 5)
})

test('events in any order lead to the payment’s real state', async () => {
  const { deps, event, happen, orderId, aNotice, paymentOf } = await paidAtProvider()
  const byHand = { id: null, providerId: 're_hand', amountMinor: 700, reason: null }
  const refunded = await aNotice({ isComplete: false })
  happen(orderId, { refunds: [{ ...byHand, phase: 'succeeded' }] })
  assert.equal(await receiveEvent(deps, delivered(refunded)), 'applied')
  assert.equal(await receiveEvent(deps, delivered(event)), 'duplicate')
  const { state, revision } = await paymentOf()
  assert.deepEqual([state.phase, state.refunds.length, revision], ['captured', 1, 1])
})

test('an event that names only the money finds its payment', async () => {
  const { deps, happen, orderId, intentOf } = await paidAtProvider()
  const byIntent = anEvent({ intentId: intentOf(orderId) })
  assert.equal(await receiveEvent(deps, delivered(byIntent)), 'applied')
  happen(orderId, { disputes: [{ id: 'du_1', amountMinor: 2_500, phase: 'open' }] })
  const again = anEvent({ intentId: intentOf(orderId) })
  assert.equal(await receiveEvent(deps, delivered(again)), 'applied')
  assert.equal((await stores.payments.findByOrder(orderId))?.state.disputes.length, 1)
})

test('what is no news of a payment of ours is kept and ignored', async () => {
  const { deps, settled, paymentId, orderId } = await paidAtProvider()
  const ended = { state: { phase: 'ended' as const, capturedMinor: 0, refunds: [], disputes: [] } }
  const strangers = [
    { ...anEvent(), notice: null },
    anEvent(),
    anEvent({ intentId: 'pi_of_somebody_else' }),
    // The session of a lost answer, which nobody could pay at.
    anEvent({
      ...{ paymentId, orderId, sessionId: 'cs_forsaken' },
      seen: { ...ended, amount: null, intentId: null },
    }),
  ]
  for (const event of strangers) {
    assert.equal(await receiveEvent(deps, delivered(event)), 'ignored')
    assert.equal(await receiveEvent(deps, delivered(event)), 'ignored')
  }
  assert.equal(settled.length, 0)
})

test('an event of a payment that we do not have, or of another amount, is refused', async () => {
  const { deps, event, settled } = await paidAtProvider()
  const unknown = anEvent({ ...event.notice, paymentId: uuidv7() })
  await assert.rejects(receiveEvent(deps, delivered(unknown)), {
    kind: 'not-found',
    code: 'PAYMENT_NOT_FOUND',
  })
  const { seen } = event.notice
  const amount = { amountMinor: 2_500, currency: 'EUR' }
  const other = anEvent({ ...event.notice, seen: seen && { ...seen, amount } })
  await assert.rejects(receiveEvent(deps, delivered(other)), { code: 'PAYMENT_MISMATCH' })
  assert.equal(settled.length, 0)
})

test('killed around any step, a notification is applied once when it comes again', async () => {
  const undisturbed = await paidAtProvider(deadOrder)
  const counted = crashing(undisturbed.deps, 0, 'before')
  await receiveEvent(counted.deps, delivered(undisturbed.event))
  assert.ok(counted.calls() > 8)
  for (const when of ['before', 'after'] as const) {
    for (let step = 1; step <= counted.calls(); step += 1) {
      const { deps, event, stateOf, orderId, paymentOf } = await paidAtProvider(deadOrder)
      const broken = crashing(deps, step, when)
      await assert.rejects(receiveEvent(broken.deps, delivered(event)), { kind: 'unavailable' })
      await receiveEvent(deps, delivered(event))
      assert.equal(stateOf(orderId).refunds.length, 1, `${when} ${step}`)
      const { state, revision, settledRevision } = await paymentOf()
      assert.equal(state.refunds[0]?.phase, 'succeeded', `${when} ${step}`)
      assert.equal(settledRevision, revision, `${when} ${step}`)
    }
  }
})

test('killed around any step, a cancellation or a refund is made once when it is asked again', async () => {
  const works: ((
    deps: Parameters<typeof cancelPayment>[0],
    orderId: string,
  ) => Promise<unknown>)[] = [
    cancelPayment,
    (deps, orderId) =>
      refundPayment(deps, { orderId, refundId: orderId, amountMinor: 2_500, reason: 'late' }),
  ]
  for (const work of works) {
    const undisturbed = await paidAtProvider()
    await receiveEvent(undisturbed.deps, delivered(undisturbed.event))
    const counted = crashing(undisturbed.deps, 0, 'before')
    await work(counted.deps, undisturbed.orderId)
    assert.ok(counted.calls() > 3)
    for (const when of ['before', 'after'] as const) {
      for (let step = 1; step <= counted.calls(); step += 1) {
        const { deps, event, stateOf, orderId, paymentOf } = await paidAtProvider()
        await receiveEvent(deps, delivered(event))
        const broken = crashing(deps, step, when)
        await assert.rejects(work(broken.deps, orderId), { code: 'KILLED' })
        await work(deps, orderId)
        assert.equal(stateOf(orderId).refunds.length, 1, `${when} ${step}`)
        assert.equal((await paymentOf()).state.refunds[0]?.phase, 'succeeded', `${when} ${step}`)
      }
    }
  }
})

test('events are listed newest first, by type and outcome, page by page', async () => {
  const { deps } = setUp()
  const type = `listed.${uuidv7()}`
  const events = Array.from({ length: 5 }, () => ({ ...anEvent(), type, notice: null }))
  for (const event of events) await receiveEvent(deps, delivered(event))
  const open = { ...anEvent(), type }
  await stores.events.receive(open)
  const seen: string[] = []
  let position: { at: Date; id: string } | null = null
  for (;;) {
    const page = await stores.events.list({ type }, { after: position, limit: 2 })
    const last = page.at(-1)
    if (!last) break
    seen.push(...page.map(({ id }) => id))
    position = { at: last.receivedAt, id: last.id }
  }
  assert.deepEqual(new Set(seen), new Set([open, ...events].map(({ id }) => id)))
  assert.equal(seen.length, 6)
  const page = { after: null, limit: 10 }
  assert.equal((await stores.events.list({ type, outcome: 'ignored' }, page)).length, 5)
  const [waiting] = await stores.events.list({ type, outcome: 'open' }, page)
  assert.deepEqual([waiting?.id, waiting?.outcome], [open.id, null])
})

test('only concluded events are pruned, oldest first and few at a time', async () => {
  const { deps } = setUp()
  const type = `pruned.${uuidv7()}`
  const done = { ...anEvent(), type, notice: null }
  const open = { ...anEvent(), type }
  await receiveEvent(deps, delivered(done))
  await stores.events.receive(open)
  assert.equal(await stores.events.prune(new Date(0), 10), 0)
  const later = new Date(Date.now() + 60_000)
  assert.equal(await stores.events.prune(later, 1), 1)
  while ((await stores.events.prune(later, 100)) > 0);
  const left = await stores.events.list({ type }, { after: null, limit: 10 })
  assert.deepEqual(
    left.map(({ id }) => id),
    [open.id],
  )
})
