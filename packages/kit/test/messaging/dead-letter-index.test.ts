import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AppError } from '../../src/errors.ts'
import { uuidv7 } from '../../src/ids.ts'
import {
  createDeadLetterIndex,
  type DeadLetterEntry,
  type DeadLetterLog,
  parseDeadLetterEntry,
} from '../../src/messaging/dead-letter-index.ts'
import type { DeadLetter } from '../../src/messaging.ts'
import { silentLogger } from '../../src/testing.ts'
import { aMessage } from './effects.ts'

type Follower = { onEntry: (entry: DeadLetterEntry) => void; onRestart: () => void }

/** A log in memory, shared by any number of indexes; `restart` is what a reconnect does to them. */
function createLog() {
  const entries: DeadLetterEntry[] = []
  const followers = new Set<Follower>()
  let isAway = false
  const log: DeadLetterLog = {
    async append(entry) {
      if (isAway) throw new AppError('unavailable', 'MESSAGES_UNAVAILABLE', 'Away.')
      entries.push(entry)
      for (const { onEntry } of followers) onEntry(entry)
    },
    async follow(onEntry, onRestart) {
      const follower = { onEntry, onRestart }
      for (const entry of entries) onEntry(entry)
      followers.add(follower)
      return {
        async stop() {
          followers.delete(follower)
        },
      }
    },
  }
  return {
    log,
    entries,
    followers,
    setAway(value: boolean) {
      isAway = value
    },
    restart() {
      for (const { onRestart } of followers) onRestart()
      for (const { onEntry } of followers) for (const entry of entries) onEntry(entry)
    },
  }
}

let time = Date.parse('2026-01-01T00:00:00Z')

function aLetter(changes: Partial<DeadLetter> = {}): DeadLetter {
  time += 1_000
  return {
    id: uuidv7(time),
    address: { kind: 'queue', name: 'q' },
    service: 'auth',
    message: aMessage(1),
    attempts: 8,
    code: 'TEST_BROKEN',
    reason: 'It does not work.',
    failedAt: new Date(time).toISOString(),
    history: [],
    ...changes,
  }
}

function openIndex(log: DeadLetterLog, options: { maxLetters?: number } = {}) {
  const redelivered: DeadLetter[] = []
  const index = createDeadLetterIndex({
    log,
    redeliver: async (letter) => void redelivered.push(letter),
    logger: silentLogger(),
    ...options,
  })
  return { index, redelivered }
}

function bury(log: DeadLetterLog, letter: DeadLetter): Promise<void> {
  return log.append({ kind: 'letter', letter })
}

test('an index that is never asked never reads the log', async () => {
  const { log, entries, followers } = createLog()
  const { index } = openIndex(log)
  await index.stop()
  assert.equal(followers.size, 0)
  assert.deepEqual(entries, [])
})

test('letters are listed newest first, without data and history, in pages', async () => {
  const { log } = createLog()
  const letters = [aLetter(), aLetter(), aLetter()]
  for (const letter of letters) await bury(log, letter)
  const { index } = openIndex(log)
  const first = await index.list({ limit: 2 })
  assert.deepEqual(
    first.items.map(({ id }) => id),
    [letters[2]?.id, letters[1]?.id],
  )
  assert.ok(first.items.every((item) => !('history' in item) && !('data' in item.message)))
  assert.equal(first.nextCursor, letters[1]?.id)
  const second = await index.list({ limit: 2, cursor: first.nextCursor ?? '' })
  assert.deepEqual(
    second.items.map(({ id }) => id),
    [letters[0]?.id],
  )
  assert.equal(second.nextCursor, undefined)
  await assert.rejects(index.list({ limit: 2, cursor: 'x' }), { code: 'INVALID_REQUEST' })
})

test('letters are found by service, type and time of the failure', async () => {
  const { log } = createLog()
  const ofCarts = aLetter({ service: 'carts', message: { ...aMessage(2), type: 'halles.x.v1' } })
  const ofAuth = aLetter()
  await bury(log, ofCarts)
  await bury(log, ofAuth)
  const { index } = openIndex(log)
  const find = async (filter: object) =>
    (await index.list({ limit: 10, ...filter })).items.map(({ id }) => id)
  const between = new Date(ofAuth.failedAt)
  assert.deepEqual(await find({ service: 'carts' }), [ofCarts.id])
  assert.deepEqual(await find({ type: 'halles.x.v1' }), [ofCarts.id])
  assert.deepEqual(await find({ failedBefore: between }), [ofCarts.id])
  assert.deepEqual(await find({ failedAfter: between }), [ofAuth.id])
})

test('a message that was buried twice is one letter, the newest', async () => {
  const { log } = createLog()
  const older = aLetter()
  const newer = aLetter({ message: older.message })
  const ofOtherGroup = aLetter({ message: older.message, group: 'other' })
  for (const letter of [newer, older, ofOtherGroup]) await bury(log, letter)
  const { index } = openIndex(log)
  const { items } = await index.list({ limit: 10 })
  assert.deepEqual(
    items.map(({ id }) => id),
    [ofOtherGroup.id, newer.id],
  )
})

test('a replayed letter is redelivered once and gone, for every process', async () => {
  const { log } = createLog()
  const letter = aLetter()
  await bury(log, letter)
  const here = openIndex(log)
  const there = openIndex(log)
  assert.deepEqual(await there.index.get(letter.id), letter)
  await here.index.replay(letter.id)
  assert.deepEqual(here.redelivered, [letter])
  for (const { index } of [here, there]) {
    await assert.rejects(index.get(letter.id), { code: 'DEAD_LETTER_NOT_FOUND' })
    await assert.rejects(index.replay(letter.id), { code: 'DEAD_LETTER_NOT_FOUND' })
    assert.equal(await index.count(), 0)
  }
  assert.deepEqual(there.redelivered, [])
})

test('of two replays of one letter at the same time one redelivers', async () => {
  const { log } = createLog()
  const letter = aLetter()
  await bury(log, letter)
  const { index, redelivered } = openIndex(log)
  const results = await Promise.allSettled([index.replay(letter.id), index.replay(letter.id)])
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected'],
  )
  assert.equal(redelivered.length, 1)
})

test('a discarded letter is gone and leaves its reason in the log', async () => {
  const { log, entries } = createLog()
  const letter = aLetter()
  await bury(log, letter)
  const { index, redelivered } = openIndex(log)
  await index.discard(letter.id, 'a test')
  assert.deepEqual((await index.list({ limit: 10 })).items, [])
  const resolved = entries.find(({ kind }) => kind === 'resolved')
  assert.ok(resolved?.kind === 'resolved')
  const { at: _at, ...rest } = resolved
  assert.deepEqual(rest, { kind: 'resolved', id: letter.id, how: 'discarded', reason: 'a test' })
  assert.deepEqual(redelivered, [])
  await assert.rejects(index.discard('no id of ours', 'x'), { code: 'DEAD_LETTER_NOT_FOUND' })
})

test('an index that begins again at the first entry shows what it showed before', async () => {
  const { log, restart } = createLog()
  const letters = [aLetter(), aLetter()]
  for (const letter of letters) await bury(log, letter)
  const { index } = openIndex(log)
  await index.discard(letters[0]?.id ?? '', 'seen')
  const before = await index.list({ limit: 10 })
  restart()
  assert.deepEqual(await index.list({ limit: 10 }), before)
  assert.equal(await index.count(), 1)
})

test('while the log is away a question fails clearly, and the next one is answered', async () => {
  const { log, setAway } = createLog()
  const letter = aLetter()
  await bury(log, letter)
  const { index } = openIndex(log)
  setAway(true)
  await assert.rejects(index.list({ limit: 1 }), { code: 'MESSAGES_UNAVAILABLE' })
  setAway(false)
  assert.equal((await index.list({ limit: 1 })).items.length, 1)
  await index.stop()
})

test('beyond its bound the index forgets the oldest letters and still counts them', async () => {
  const { log } = createLog()
  const letters = [aLetter(), aLetter(), aLetter()]
  for (const letter of letters) await bury(log, letter)
  const { index } = openIndex(log, { maxLetters: 2 })
  const { items } = await index.list({ limit: 10 })
  assert.deepEqual(
    items.map(({ id }) => id),
    [letters[2]?.id, letters[1]?.id],
  )
  assert.equal(await index.count(), 3)
})

test('what is no entry of ours is recognised as such', () => {
  const letter = aLetter()
  const entries: DeadLetterEntry[] = [
    { kind: 'letter', letter },
    { kind: 'mark', id: letter.id },
    { kind: 'resolved', id: letter.id, how: 'replayed', at: letter.failedAt },
  ]
  for (const entry of entries) assert.deepEqual(parseDeadLetterEntry(JSON.stringify(entry)), entry)
  for (const text of ['', '[]', 'null', '{"kind":"letter"}', '{"kind":"mark"}', '{"kind":"x"}']) {
    assert.equal(parseDeadLetterEntry(text), undefined)
  }
})
