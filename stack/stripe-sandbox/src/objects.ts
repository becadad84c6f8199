import type { SQLInputValue } from 'node:sqlite'
import type { ApiObject } from './domain/decision.ts'
import type { Store } from './store.ts'

export type Kind = ApiObject['object']
export type Range = { gt?: number; gte?: number; lt?: number; lte?: number }
export type Page = {
  limit: number
  startingAfter: string | undefined
  endingBefore: string | undefined
  created: Range
  /** Conditions of our own writing, each with the value of all its question marks. */
  where: { condition: string; value: string }[]
}

export type Table = { name: 'objects'; kind: Kind } | { name: 'events' }

export function saveObject(store: Store, object: ApiObject, details: string | null = null): void {
  const isOpen = object.object === 'checkout.session' && object.status === 'open'
  const intent = 'payment_intent' in object ? object.payment_intent : null
  store.write(
    `INSERT INTO objects (id, kind, created, intent, expires_at, body, details)
     VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET intent = excluded.intent, expires_at = excluded.expires_at,
       body = excluded.body, details = coalesce(excluded.details, details)`,
    object.id,
    object.object,
    object.created,
    typeof intent === 'string' ? intent : null,
    isOpen ? object.expires_at : null,
    JSON.stringify(object),
    details,
  )
}

export function findObject<T extends ApiObject>(
  store: Store,
  kind: T['object'],
  id: string,
): { object: T; details: string | null } | undefined {
  const row = store.get<{ body: string; details: string | null }>(
    'SELECT body, details FROM objects WHERE id = ? AND kind = ?',
    id,
    kind,
  )
  return row && { object: JSON.parse(row.body) as T, details: row.details }
}

/** An event's body is saved as it is sent; what is still to be delivered is known when it is read. */
export const eventBody = `json_set(body, '$.pending_webhooks', state = 'waiting')`
const bodyColumns = { objects: 'body', events: eventBody }

// The index knows intents; the charge itself is compared among the few rows of its own.
export const byCharge = `intent = (SELECT intent FROM objects AS charge WHERE charge.id = ?)
  AND json_extract(body, '$.charge') = ?`

/** One page, newest first, as the bodies saved; null when the cursor names nothing of this list. */
export function listBodies(
  store: Store,
  table: Table,
  page: Page,
): { bodies: string[]; hasMore: boolean } | null {
  const conditions = table.name === 'objects' ? ['kind = ?'] : []
  const values: SQLInputValue[] = table.name === 'objects' ? [table.kind] : []
  const cursor = page.startingAfter ?? page.endingBefore
  const isBackwards = page.startingAfter === undefined && page.endingBefore !== undefined
  if (cursor !== undefined) {
    const text = `SELECT seq FROM ${table.name} WHERE ${[...conditions, 'id = ?'].join(' AND ')}`
    const row = store.get<{ seq: number }>(text, ...values, cursor)
    if (row === undefined) return null
    conditions.push(isBackwards ? 'seq > ?' : 'seq < ?')
    values.push(row.seq)
  }
  const operators = { gt: '>', gte: '>=', lt: '<', lte: '<=' } as const
  for (const name of ['gt', 'gte', 'lt', 'lte'] as const) {
    const value = page.created[name]
    if (value === undefined) continue
    conditions.push(`created ${operators[name]} ?`)
    values.push(value)
  }
  for (const { condition, value } of page.where) {
    conditions.push(condition)
    // The same value wherever the condition names it.
    for (const _ of condition.matchAll(/\?/g)) values.push(value)
  }
  const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`
  const rows = store.all<{ body: string }>(
    `SELECT ${bodyColumns[table.name]} AS body FROM ${table.name} ${where} ORDER BY seq ${isBackwards ? 'ASC' : 'DESC'} LIMIT ?`,
    ...values,
    page.limit + 1,
  )
  const bodies = rows.slice(0, page.limit).map((row) => row.body)
  return { bodies: isBackwards ? bodies.reverse() : bodies, hasMore: rows.length > page.limit }
}

/** All objects of a kind that belong to a payment intent, oldest first. */
export function listOfIntent<T extends ApiObject>(
  store: Store,
  kind: T['object'],
  intentId: string,
): T[] {
  const rows = store.all<{ body: string }>(
    'SELECT body FROM objects WHERE intent = ? AND kind = ? ORDER BY seq',
    intentId,
    kind,
  )
  return rows.map(({ body }) => JSON.parse(body) as T)
}
