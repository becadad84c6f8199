import assert from 'node:assert/strict'
import { test } from 'node:test'
import { middleOf, type Round, shortfalls, toText } from '../../lighthouse/report.ts'

function aRound(performance: number, change: Partial<Round> = {}): Round {
  const scores = { performance, accessibility: 100, 'best-practices': 100, seo: 100 }
  const figures = { lcpMs: 900, cls: 0, tbtMs: 0, bytes: 20_480, speed: 1_500 }
  return { scores, ...figures, faults: [], html: '', json: '', ...change }
}

test('the middle round counts, the worse of two', () => {
  const rounds = [99, 80, 100, 97, 98].map((points) => aRound(points))
  assert.equal(middleOf(rounds), rounds[4])
  assert.equal(middleOf(rounds.slice(0, 2)), rounds[1])
  const late = aRound(100, { lcpMs: 1_300 })
  assert.equal(middleOf([late, aRound(100)]), late)
  assert.throws(() => middleOf([]))
})

test('a page below what is promised is named with the checks that cost it points', () => {
  assert.deepEqual(shortfalls(aRound(95, { lcpMs: 1_200 })), [])
  assert.deepEqual(shortfalls(aRound(95, { lcpMs: 1_201 })), ['LCP after 1201 ms, promised 1200'])
  const button = { node: { snippet: '<button>' } }
  const audit = { title: 'Buttons have no name', score: 0, details: { items: [button] } }
  const round = aRound(94, {
    scores: { performance: 94, accessibility: 96, 'best-practices': 100, seo: 95 },
    faults: [{ category: 'accessibility', id: 'button-name', audit }],
  })
  const [slow, unreadable, ...more] = shortfalls(round)
  assert.equal(slow, 'performance 94, promised 95')
  assert.match(
    unreadable ?? '',
    /^accessibility 96, promised 100\n.*Buttons have no name\n.*<button>/s,
  )
  assert.deepEqual(more, [])
})

test('what was not measured is no shortfall, and pages without a promise are only shown', () => {
  const { performance: _, ...scores } = aRound(100).scores
  assert.deepEqual(shortfalls(aRound(0, { scores, lcpMs: 9_000 })), [])
  const text = toText([
    { name: 'home', isPromised: true, round: aRound(90) },
    { name: 'cart', isPromised: false, round: aRound(60, { lcpMs: 2_000 }) },
  ])
  assert.match(text, /^cart +60 +100 +100 +100 +2000 +0\.000 +0 +20 +1500$/m)
  assert.match(text, /home: performance 90/)
  assert.doesNotMatch(text, /cart: /)
})
