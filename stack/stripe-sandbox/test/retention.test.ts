import assert from 'node:assert/strict'
import test from 'node:test'
import { pruneStore } from '../src/retention.ts'
import { openStore, type Store } from '../src/store.ts'

const day = 86_400_000
const noLimits = { maxObjects: 1_000, maxEvents: 1_000 }

function startStore(t: { after(work: () => void): void }): Store {
  const store = openStore(undefined, assert.ifError)
  t.after(() => store.close())
  return store
}

function addEvent(store: Store, id: string, fields: { atMs?: number; nextAt?: number } = {}): void {
  store.write(
    `INSERT INTO events (id, created, type, body, state, next_at) VALUES (?, ?, 'a', '{}', ?, ?)`,
    id,
    Math.floor((fields.atMs ?? 0) / 1000),
    fields.nextAt === undefined ? 'delivered' : 'waiting',
    fields.nextAt ?? null,
  )
  store.write(
    `INSERT INTO attempts (event_id, at, response_body, duration_ms) VALUES (?, 0, '', 0)`,
    id,
  )
}

function addObject(store: Store, id: string, expiresAt: number | null = null): void {
  store.write(
    `INSERT INTO objects (id, kind, created, expires_at, body) VALUES (?, 'charge', 0, ?, '{}')`,
    id,
    expiresAt,
  )
}

const idsOf = (store: Store, table: string, column = 'id') =>
  store.all<{ id: string }>(`SELECT ${column} AS id FROM ${table} ORDER BY seq`).map(({ id }) => id)

test('beyond the bound the oldest events go with their attempts, undelivered ones stay', (t) => {
  const store = startStore(t)
  addEvent(store, 'evt_waiting', { nextAt: 1 })
  for (const id of ['evt_1', 'evt_2', 'evt_3', 'evt_4']) addEvent(store, id)
  pruneStore(store, { ...noLimits, maxEvents: 2 }, 0)
  assert.deepEqual(idsOf(store, 'events'), ['evt_waiting', 'evt_3', 'evt_4'])
  assert.deepEqual(idsOf(store, 'attempts', 'event_id'), ['evt_waiting', 'evt_3', 'evt_4'])
})

test('events are kept for thirty days', (t) => {
  const store = startStore(t)
  addEvent(store, 'evt_old', { atMs: 0 })
  addEvent(store, 'evt_new', { atMs: 2 * day })
  pruneStore(store, noLimits, 31 * day)
  assert.deepEqual(idsOf(store, 'events'), ['evt_new'])
})

test('beyond the bound the oldest objects go, open sessions and what a bank works on stay', (t) => {
  const store = startStore(t)
  addObject(store, 'cs_open', 99)
  for (const id of ['ch_waiting', 'ch_1', 'ch_2', 'ch_3']) addObject(store, id)
  store.write(
    `INSERT INTO tasks (kind, object_id, outcome, due_at) VALUES ('dispute', 'ch_waiting', '', 9)`,
  )
  pruneStore(store, { ...noLimits, maxObjects: 1 }, 0)
  assert.deepEqual(idsOf(store, 'objects'), ['cs_open', 'ch_waiting', 'ch_3'])
})
