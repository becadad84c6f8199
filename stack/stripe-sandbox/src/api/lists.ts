import { invalid, missing } from '../errors.ts'
import { expandList } from '../expand.ts'
import type { FormObject } from '../form.ts'
import { listBodies, type Page, type Range } from '../objects.ts'
import { type Parameters, readParameters } from '../parameters.ts'
import type { Store } from '../store.ts'
import type { Resource } from './resources.ts'

export function answerList(
  store: Store,
  resource: Resource,
  call: { query: FormObject; path: string },
): string {
  const parameters = readParameters(call.query)
  const expand = parameters.texts('expand')
  const page = parsePage(parameters, resource)
  parameters.finish()
  const found = listBodies(store, resource.table, page)
  if (found === null) {
    const param = page.startingAfter === undefined ? 'ending_before' : 'starting_after'
    const id = page.startingAfter ?? page.endingBefore ?? ''
    throw missing(resource.label, id, param, 400)
  }
  const data = expandList(store, found.bodies, expand).join(',')
  return `{"object":"list","data":[${data}],"has_more":${found.hasMore},"url":${JSON.stringify(call.path)}}`
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
