import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get } from './door-cases.ts'
import { startEdge } from './edge.ts'
import { fuzz } from './fuzzing.ts'
import { converse } from './raw.ts'

test('two thousand random conversations get no 5xx, no half an answer and no open end', async (t) => {
  const edge = await startEdge()
  t.after(() => edge.stop())
  const seed = Number(process.env.HALLES_TEST_SEED ?? Date.now() % 1_000_000)
  const { byStatus, faults } = await fuzz({ address: edge.address, runs: 2_000, seed })
  t.diagnostic(`seed ${seed}: ${JSON.stringify(byStatus)}`)
  assert.deepEqual(faults, [], `seed ${seed}`)
  assert.ok(byStatus[200] && byStatus[400], 'honest and dishonest ones were among them')
  const { answers } = await converse(edge.address, {
    parts: [get('/api/v1/products')],
    expected: 1,
  })
  assert.equal(answers[0]?.status, 200)
})
