import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AppError } from '@halles/kit/errors'
import type { DeadLetterSummary, DeadLetters } from '@halles/kit/messaging'
import { replayMatching, toDeadLetter } from '../src/dead-letters.ts'

/** Letters `a`, `b`, … of which `a` is the oldest; `onReplay` may throw. */
function holding(ids: string, onReplay: (id: string) => void) {
  const replayed: string[] = []
  const items = [...ids].toReversed().map((id) => ({ id }) as DeadLetterSummary)
  const deadLetters: Pick<DeadLetters, 'list' | 'replay'> = {
    list: async ({ limit }) => ({ items: items.slice(0, limit), nextCursor: undefined }),
    async replay(id) {
      onReplay(id)
      replayed.push(id)
    },
  }
  return { deadLetters: deadLetters as DeadLetters, replayed }
}

const order = (signal = new AbortController().signal) => ({
  filter: { limit: 100 },
  ratePerSecond: 50,
  signal,
})
const permit = async () => undefined

test('replaying ends when the client goes away', async () => {
  const client = new AbortController()
  const { deadLetters, replayed } = holding('abcde', (id) => {
    if (id === 'b') client.abort()
  })
  const result = await replayMatching(deadLetters, order(client.signal), permit)
  assert.deepEqual(result, { replayed: 2, failed: [], hasMore: true })
  assert.deepEqual(replayed, ['a', 'b'])
})

test('a letter that somebody else took is told of, and the others are replayed', async () => {
  const { deadLetters, replayed } = holding('abc', (id) => {
    if (id === 'b') throw new AppError('not-found', 'DEAD_LETTER_NOT_FOUND', 'It is gone.')
  })
  const result = await replayMatching(deadLetters, order(), permit)
  const failed = [{ id: 'b', code: 'DEAD_LETTER_NOT_FOUND' }]
  assert.deepEqual(result, { replayed: 2, failed, hasMore: false })
  assert.deepEqual(replayed, ['a', 'c'])
})

test('replaying ends when the broker goes away', async () => {
  const { deadLetters, replayed } = holding('abc', (id) => {
    if (id === 'b') throw new AppError('unavailable', 'MESSAGES_UNAVAILABLE', 'It is away.')
  })
  const result = await replayMatching(deadLetters, order(), permit)
  const failed = [{ id: 'b', code: 'MESSAGES_UNAVAILABLE' }]
  assert.deepEqual(result, { replayed: 1, failed, hasMore: true })
  assert.deepEqual(replayed, ['a'])
})

test('nothing is replayed without permission', async () => {
  const { deadLetters, replayed } = holding('abc', () => undefined)
  const refused = replayMatching(deadLetters, order(), async (letters) => {
    assert.equal(letters.length, 3)
    throw new AppError('unavailable', 'AUDIT_UNAVAILABLE', 'It cannot be recorded.')
  })
  await assert.rejects(refused, { code: 'AUDIT_UNAVAILABLE' })
  assert.deepEqual(replayed, [])
})

test('a message that lacks nearly everything can still be listed', () => {
  const letter = {
    id: 'a',
    address: { kind: 'topic', name: 'products.events.v1' },
    service: 'carts',
    message: {},
    attempts: 1,
    code: 'INVALID_MESSAGE',
    reason: 'It has no type.',
    failedAt: '2026-01-01T00:00:00.000Z',
  } as unknown as DeadLetterSummary
  const { type, subject, group } = toDeadLetter(letter)
  assert.deepEqual({ type, subject, group }, { type: '', subject: null, group: null })
})
