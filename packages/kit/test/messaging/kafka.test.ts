import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatNote, parseNote } from '../../src/messaging/kafka/offsets.ts'
import { murmur2 } from '../../src/messaging/kafka/publisher.ts'

test('a key goes to the partition that every other client of Kafka chooses for it', () => {
  // From the tests of Kafka's own client.
  const hashes = {
    '21': -973932308,
    foobar: -790332482,
    'a-little-bit-long-string': -985981536,
    'a-little-bit-longer-string': -1486304829,
    lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8: -58897971,
    abc: 479470107,
  }
  for (const [key, hash] of Object.entries(hashes)) assert.equal(murmur2(Buffer.from(key)), hash)
})

test('what is noted beside an offset is read as it was written', () => {
  for (const note of [
    { attempts: 0, isOpen: true },
    { attempts: 3, isOpen: false, failingSince: 1_764_000_000_000 },
  ]) {
    assert.deepEqual(parseNote(formatNote(note)), note)
  }
})

test('an offset that somebody else committed has a note that says nothing', () => {
  for (const text of ['', 'a note of a tool', '{"x":1}']) {
    assert.deepEqual(
      { ...parseNote(text), failingSince: undefined },
      { attempts: 0, isOpen: false, failingSince: undefined },
    )
  }
})
