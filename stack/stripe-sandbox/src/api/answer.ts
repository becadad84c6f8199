import { ApiError, missing } from '../errors.ts'
import { expandBody, linesOf } from '../expand.ts'
import { type FormObject, parseForm } from '../form.ts'
import { eventBody } from '../objects.ts'
import { readParameters } from '../parameters.ts'
import type { Cause, Deps } from '../use-cases/deps.ts'
import { answerList } from './lists.ts'
import { type Resource, type Route, toRoute } from './resources.ts'

export type ApiRequest = {
  method: string
  path: string
  query: string
  body: string
  cause: Cause
}

/** Answers one authenticated call with a JSON body, or throws ApiError. */
export function answerApi(deps: Deps, request: ApiRequest): string {
  const route = toRoute(request.path)
  const { resource, name, id, action } = route
  if (resource === undefined) throw unrecognized(request)
  if (request.method === 'GET') {
    const query = parseForm(request.query)
    if (id === undefined) return answerList(deps.store, resource, { query, path: request.path })
    if (action === undefined) return retrieve(deps, resource, { id, query })
    if (action === 'line_items' && name === 'checkout/sessions') {
      retrieve(deps, resource, { id, query: {} })
      return JSON.stringify(linesOf(deps.store, { id }))
    }
  }
  if (request.method === 'POST') {
    const form = parseForm(request.body)
    const expand = readParameters(form).texts('expand')
    const result = change(deps, route, { form, cause: request.cause })
    if (result !== undefined) return expandBody(deps.store, JSON.stringify(result), expand)
  }
  throw unrecognized(request)
}

function change(
  deps: Deps,
  { resource, id, action }: Route,
  { form, cause }: { form: FormObject; cause: Cause },
): object | undefined {
  if (id === undefined) return resource?.create?.(deps, form, cause)
  if (action === undefined) return resource?.update?.(deps, { id, form }, cause)
  const actions = resource?.actions ?? {}
  return Object.hasOwn(actions, action) ? actions[action]?.(deps, { id, form }, cause) : undefined
}

function unrecognized({ method, path }: ApiRequest): ApiError {
  const message = `Unrecognized request URL (${method}: ${path}). The local sandbox covers a part of Stripe's API; see its README.`
  return new ApiError(404, { type: 'invalid_request_error', message })
}

function retrieve(
  { store }: Deps,
  { table, label, param }: Resource,
  { id, query }: { id: string; query: FormObject },
): string {
  const parameters = readParameters(query)
  const expand = parameters.texts('expand')
  parameters.finish()
  const row =
    table.name === 'events'
      ? store.get<{ body: string }>(`SELECT ${eventBody} AS body FROM events WHERE id = ?`, id)
      : store.get<{ body: string }>(
          'SELECT body FROM objects WHERE id = ? AND kind = ?',
          id,
          table.kind,
        )
  if (row === undefined) throw missing(label, id, param)
  return expandBody(store, row.body, expand)
}
