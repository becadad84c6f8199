import type { SessionDetails } from './domain/decision.ts'
import { invalid } from './errors.ts'
import { byCharge, type Kind, listBodies } from './objects.ts'
import type { Store } from './store.ts'

type Json = { [name: string]: unknown }

// The depth at which Stripe stops too.
const maxDepth = 4

/** Which fields hold ids that can be replaced by their objects; null: always null in the sandbox. */
const expandable: { [object: string]: { [field: string]: Kind | 'list' | null } } = {
  'checkout.session': {
    payment_intent: 'payment_intent',
    line_items: 'list',
    customer: null,
    invoice: null,
    payment_link: null,
    setup_intent: null,
    subscription: null,
  },
  payment_intent: {
    latest_charge: 'charge',
    payment_method: 'payment_method',
    customer: null,
    review: null,
  },
  charge: {
    payment_intent: 'payment_intent',
    refunds: 'list',
    balance_transaction: null,
    customer: null,
  },
  refund: {
    charge: 'charge',
    payment_intent: 'payment_intent',
    payment_method: 'payment_method',
    balance_transaction: null,
    customer: null,
  },
  dispute: { charge: 'charge', payment_intent: 'payment_intent' },
  event: {},
}

/** Replaces ids by their objects along paths such as `payment_intent.latest_charge`. */
export function expandBody(store: Store, body: string, paths: readonly string[]): string {
  if (paths.length === 0) return body
  const object = JSON.parse(body) as Json
  for (const path of paths) expandPath(store, object, path.split('.'))
  return JSON.stringify(object)
}

/** In a list every path starts with `data.`. */
export function expandList(
  store: Store,
  bodies: readonly string[],
  paths: readonly string[],
): readonly string[] {
  if (paths.length === 0) return bodies
  const inner = paths.map((path) => {
    if (path.startsWith('data.')) return path.slice('data.'.length)
    throw notExpandable(path)
  })
  return bodies.map((body) => expandBody(store, body, inner))
}

function expandPath(store: Store, object: Json, path: readonly string[]): void {
  const [field, ...rest] = path
  if (path.length > maxDepth) {
    const message = `You cannot expand more than ${maxDepth} levels of a property. Property: ${path.join('.')}`
    throw invalid(message, { param: 'expand' })
  }
  if (field === undefined) return
  const target = expandable[String(object.object)]?.[field]
  if (target === undefined) throw notExpandable(field)
  if (target === null) return
  if (target === 'list')
    object[field] ??= field === 'refunds' ? refundsOf(store, object) : linesOf(store, object)
  else if (typeof object[field] === 'string') {
    const row = store.get<{ body: string }>('SELECT body FROM objects WHERE id = ?', object[field])
    if (row !== undefined) object[field] = JSON.parse(row.body)
  }
  const next = object[field]
  if (rest.length > 0 && typeof next === 'object' && next !== null) {
    expandPath(store, next as Json, rest)
  }
}

function notExpandable(property: string) {
  return invalid(`This property cannot be expanded (${property}).`, { param: 'expand' })
}

function refundsOf(store: Store, charge: Json): Json {
  const page = listBodies(
    store,
    { name: 'objects', kind: 'refund' },
    {
      limit: 10,
      startingAfter: undefined,
      endingBefore: undefined,
      created: {},
      where: [{ condition: byCharge, value: String(charge.id) }],
    },
  )
  return {
    object: 'list',
    data: (page?.bodies ?? []).map((body) => JSON.parse(body)),
    has_more: page?.hasMore ?? false,
    url: `/v1/charges/${charge.id}/refunds`,
  }
}

export function linesOf(store: Store, session: Json): Json {
  const row = store.get<{ details: string }>(
    'SELECT details FROM objects WHERE id = ?',
    String(session.id),
  )
  const details = row && (JSON.parse(row.details) as SessionDetails)
  return {
    object: 'list',
    data: details?.lines ?? [],
    has_more: false,
    url: `/v1/checkout/sessions/${session.id}/line_items`,
  }
}
