import { ApiError, invalid, missing } from './errors.ts'
import { expandBody, expandList, linesOf } from './expand.ts'
import { type FormObject, parseForm } from './form.ts'
import { type Parameters, readParameters } from './parameters.ts'
import { parseSession } from './session-parameters.ts'
import { eventBody, type Kind, listBodies, type Page, type Range } from './store.ts'
import { type Cause, createRefund, createSession, type Deps, expireSession } from './use-cases.ts'

export type ApiRequest = {
  method: string
  path: string
  query: string
  body: string
  cause: Cause
}

type Create = (deps: Deps, form: FormObject, cause: Cause) => object
type Act = (deps: Deps, id: string, cause: Cause) => object

type Resource = {
  table: { name: 'objects'; kind: Kind } | { name: 'events' }
  /** As the missing object and its parameter are called in the error. */
  label: string
  param: string
  filters: { [parameter: string]: string }
  create?: Create
  actions?: { [name: string]: Act }
}

const resources: { [path: string]: Resource } = {
  'checkout/sessions': {
    table: { name: 'objects', kind: 'checkout.session' },
    label: 'checkout.session',
    param: 'session',
    filters: {
      payment_intent: 'intent = ?',
      status: `json_extract(body, '$.status') = ?`,
    },
    create: (deps, form) => createSession(deps, parseSession(form)),
    actions: { expire: expireSession },
  },
  payment_intents: {
    table: { name: 'objects', kind: 'payment_intent' },
    label: 'payment_intent',
    param: 'intent',
    filters: {},
  },
  charges: {
    table: { name: 'objects', kind: 'charge' },
    label: 'charge',
    param: 'charge',
    filters: { payment_intent: 'intent = ?' },
  },
  refunds: {
    table: { name: 'objects', kind: 'refund' },
    label: 'refund',
    param: 'refund',
    filters: {
      payment_intent: 'intent = ?',
      charge: `json_extract(body, '$.charge') = ?`,
    },
    create: (deps, form, cause) => createRefund(deps, parseRefund(form), cause),
  },
  events: {
    table: { name: 'events' },
    label: 'event',
    param: 'id',
    filters: { type: 'type = ?', delivery_success: `(state <> 'waiting') = (? = 'true')` },
  },
}

/** Answers one authenticated call with a JSON body, or throws ApiError. */
export function answerApi(deps: Deps, request: ApiRequest): string {
  const [, , ...segments] = request.path.split('/')
  const name = segments[0] === 'checkout' ? `checkout/${segments[1]}` : segments[0]
  const [id, action, ...excess] = segments.slice(segments[0] === 'checkout' ? 2 : 1)
  const resource = Object.hasOwn(resources, name ?? '') ? resources[name ?? ''] : undefined
  if (resource === undefined || excess.length > 0) throw unrecognized(request)
  if (request.method === 'GET') {
    const query = parseForm(request.query)
    if (id === undefined) return list(deps, resource, query, request.path)
    if (action === undefined) return retrieve(deps, resource, id, query)
    if (action === 'line_items' && name === 'checkout/sessions') {
      retrieve(deps, resource, id, {})
      return JSON.stringify(linesOf(deps.store, { id }))
    }
  }
  if (request.method === 'POST') {
    const form = parseForm(request.body)
    const expand = expandOf(form)
    const result = change(deps, resource, { id, action, form, cause: request.cause })
    if (result !== undefined) return expandBody(deps.store, JSON.stringify(result), expand)
  }
  throw unrecognized(request)
}

function change(
  deps: Deps,
  resource: Resource,
  call: { id: string | undefined; action: string | undefined; form: FormObject; cause: Cause },
): object | undefined {
  if (call.id === undefined) return resource.create?.(deps, call.form, call.cause)
  if (call.action === undefined || !Object.hasOwn(resource.actions ?? {}, call.action)) return
  const parameters = readParameters(call.form)
  parameters.group('expand')
  parameters.finish()
  return resource.actions?.[call.action]?.(deps, call.id, call.cause)
}

function unrecognized({ method, path }: ApiRequest): ApiError {
  const message = `Unrecognized request URL (${method}: ${path}). The local sandbox covers a part of Stripe's API; see its README.`
  return new ApiError(404, { type: 'invalid_request_error', message })
}

function expandOf(form: FormObject): string[] {
  return readParameters(form).texts('expand')
}

function retrieve(deps: Deps, resource: Resource, id: string, query: FormObject): string {
  const parameters = readParameters(query)
  const expand = parameters.texts('expand')
  parameters.finish()
  const { table } = resource
  const row =
    table.name === 'events'
      ? deps.store.get<{ body: string }>(`SELECT ${eventBody} AS body FROM events WHERE id = ?`, id)
      : deps.store.get<{ body: string }>(
          'SELECT body FROM objects WHERE id = ? AND kind = ?',
          id,
          table.kind,
        )
  if (row === undefined) throw missing(resource.label, id, resource.param)
  return expandBody(deps.store, row.body, expand)
}

function list(deps: Deps, resource: Resource, query: FormObject, path: string): string {
  const parameters = readParameters(query)
  const expand = parameters.texts('expand')
  const page = parsePage(parameters, resource)
  parameters.finish()
  const found = listBodies(deps.store, resource.table, page)
  if (found === null) {
    const param = page.startingAfter === undefined ? 'ending_before' : 'starting_after'
    throw missing(resource.label, page.startingAfter ?? page.endingBefore ?? '', param, 400)
  }
  const data = expandList(deps.store, found.bodies, expand).join(',')
  return `{"object":"list","data":[${data}],"has_more":${found.hasMore},"url":${JSON.stringify(path)}}`
}

function parsePage(parameters: Parameters, resource: Resource): Page {
  const where: Page['where'] = []
  for (const [name, condition] of Object.entries(resource.filters)) {
    const value = parameters.text(name)
    if (value !== undefined) where.push({ condition, value })
  }
  if (resource.table.name === 'events') {
    const types = parameters.texts('types')
    if (types.length > 0) {
      const condition = 'type IN (SELECT value FROM json_each(?))'
      where.push({ condition, value: JSON.stringify(types) })
    }
  }
  const page = {
    limit: parameters.integer('limit', { min: 1, max: 100 }) ?? 10,
    startingAfter: parameters.text('starting_after'),
    endingBefore: parameters.text('ending_before'),
  }
  if (page.startingAfter !== undefined && page.endingBefore !== undefined) {
    const message = 'You can only specify one of these parameters: starting_after, ending_before.'
    throw invalid(message, { param: 'ending_before' })
  }
  return { ...page, created: parseCreated(parameters), where }
}

function parseCreated(parameters: Parameters): Range {
  const limits = { min: 0, max: 9_999_999_999 }
  if (parameters.isText('created')) {
    const exact = parameters.integer('created', limits)
    return exact === undefined ? {} : { gte: exact, lte: exact }
  }
  const nested = parameters.nested('created')
  const range: Range = {}
  for (const name of ['gt', 'gte', 'lt', 'lte'] as const) {
    const value = nested.integer(name, limits)
    if (value !== undefined) range[name] = value
  }
  nested.finish()
  return range
}

function parseRefund(form: FormObject) {
  const parameters = readParameters(form)
  const reasons = ['duplicate', 'fraudulent', 'requested_by_customer'] as const
  const request = {
    intentId: parameters.text('payment_intent'),
    chargeId: parameters.text('charge'),
    amount: parameters.integer('amount', { min: 1, max: 99_999_999 }),
    reason: parameters.oneOf('reason', reasons),
    metadata: parameters.metadata(),
  }
  parameters.group('expand')
  parameters.finish()
  return request
}
