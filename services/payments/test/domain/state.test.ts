import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  type Dispute,
  merge,
  openState,
  type Refund,
  returnableMinor,
  type State,
} from '../../src/domain/state.ts'

const phase = fc.constantFrom<State['phase'][]>(
  'open',
  'processing',
  'authorized',
  'captured',
  'ended',
)
const refund: fc.Arbitrary<Refund> = fc
  .record({
    key: fc.constantFrom('a', 'b', 'c', 'd'),
    isAnswered: fc.boolean(),
    phase: fc.constantFrom<Refund['phase'][]>('pending', 'succeeded', 'failed'),
    reason: fc.constantFrom(null, 'broken'),
  })
  .map(({ key, isAnswered, phase: each, reason }) => ({
    phase: each,
    reason,
    // `c` and `d` were made in the dashboard: only the provider has an id for them.
    id: key < 'c' ? key : null,
    providerId: isAnswered || key >= 'c' ? `re_${key}` : null,
    amountMinor: 100 + key.charCodeAt(0),
  }))
const dispute: fc.Arbitrary<Dispute> = fc
  .tuple(
    fc.constantFrom('du_1', 'du_2'),
    fc.constantFrom<Dispute['phase'][]>('open', 'won', 'lost'),
  )
  .map(([id, each]) => ({ id, amountMinor: 500, phase: each }))
const state: fc.Arbitrary<State> = fc
  .tuple(
    phase,
    fc.constantFrom(0, 1_000, 2_500),
    fc.uniqueArray(refund, { selector: (each) => each.id ?? each.providerId, maxLength: 4 }),
    fc.uniqueArray(dispute, { selector: ({ id }) => id, maxLength: 2 }),
  )
  .map(([each, capturedMinor, refunds, disputes]) => ({
    phase: each,
    capturedMinor,
    refunds,
    disputes,
  }))

test('any order and repetition of what was seen leads to the same knowledge', () => {
  const histories = fc
    .array(state, { minLength: 1, maxLength: 6 })
    .chain((seen) =>
      fc.tuple(
        fc.constant(seen),
        fc.shuffledSubarray([...seen, ...seen], { minLength: seen.length * 2 }),
      ),
    )
  fc.assert(
    fc.property(histories, ([seen, shuffled]) => {
      const known = seen.reduce(merge, openState)
      assert.deepEqual(shuffled.reduce(merge, openState), known)
      for (const each of seen) assert.equal(merge(known, each), known)
    }),
    { numRuns: 2_000 },
  )
})

test('it does not matter who has merged what before', () => {
  fc.assert(
    fc.property(state, state, state, (a, b, c) => {
      assert.deepEqual(merge(merge(a, b), c), merge(a, merge(b, c)))
      assert.deepEqual(merge(a, b), merge(b, a))
    }),
    { numRuns: 2_000 },
  )
})

test('money that was taken is not forgotten when an end is told late', () => {
  const captured: State = { ...openState, phase: 'captured', capturedMinor: 2_500 }
  const ended: State = { ...openState, phase: 'ended' }
  assert.equal(merge(captured, ended), captured)
  assert.deepEqual(merge(ended, captured), captured)
})

test('a refund that fails after all makes its money returnable again', () => {
  const refundOf = (each: Refund['phase']): Refund => ({
    id: 'a',
    providerId: 're_a',
    amountMinor: 1_000,
    phase: each,
    reason: null,
  })
  const captured: State = {
    phase: 'captured',
    capturedMinor: 2_500,
    refunds: [refundOf('succeeded')],
    disputes: [{ id: 'du_1', amountMinor: 300, phase: 'lost' }],
  }
  assert.equal(returnableMinor(captured), 1_200)
  const failed = merge(captured, { ...captured, refunds: [refundOf('failed')] })
  assert.equal(returnableMinor(failed), 2_200)
  assert.equal(merge(failed, captured), failed)
})
