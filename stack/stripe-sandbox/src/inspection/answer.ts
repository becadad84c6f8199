import { type Task, taskKinds } from '../domain/decision.ts'
import { ApiError, invalid, missing } from '../errors.ts'
import { parseFault } from '../faults/kinds.ts'
import type { Faults } from '../faults/registry.ts'
import { type FormObject, parseForm } from '../form.ts'
import { readParameters } from '../parameters.ts'
import type { Cause, Deps } from '../use-cases/deps.ts'
import { listTasks } from '../use-cases/tasks.ts'
import type { Webhooks } from '../webhooks/webhooks.ts'
import { actInDashboard } from './dashboard.ts'
import { listDeliveries, readLedger, readState } from './views.ts'

export type Inspected = {
  deps: Deps
  webhooks: Webhooks
  faults: Faults
  tasks: { runNow(kinds: readonly Task['kind'][]): number }
  /** Rolls the secrets that sign webhooks. */
  signWith(secrets: readonly string[]): void
}

export type InspectionCall = {
  method: string
  path: string
  query: string
  body: string
  isJson: boolean
  cause: Cause
}

const maxTasksShown = 100
// As many as payments takes, and as long as it demands.
const maxSecrets = 4
const minSecretLength = 16

/** What tests may see, do and break; not a part of Stripe's API. */
export async function answerInspection(inspected: Inspected, call: InspectionCall) {
  const { deps } = inspected
  const path = call.path.slice('/_sandbox/'.length)
  const result =
    call.method === 'GET'
      ? view(inspected, { path, query: call.query })
      : await act(inspected, { ...call, path })
  if (result === undefined) {
    const message = `Unrecognized request URL (${call.method}: ${call.path}).`
    throw new ApiError(404, { type: 'invalid_request_error', message })
  }
  if (call.method !== 'GET') await deps.store.committed()
  return JSON.stringify(result)
}

function view(
  { deps, faults, webhooks }: Inspected,
  { path, query }: { path: string; query: string },
): object | undefined {
  if (path === 'deliveries') return { deliveries: listDeliveries(deps.store, query) }
  if (path === 'faults') return { faults: faults.list() }
  if (path === 'state') return { ...readState(deps.store), inFlight: webhooks.inFlight() }
  if (path === 'ledger') return { ledger: readLedger(deps.store) }
  if (path !== 'tasks') return undefined
  const all = { dueBefore: Number.MAX_SAFE_INTEGER, kinds: taskKinds, limit: maxTasksShown }
  return { tasks: listTasks(deps, all) }
}

async function act(inspected: Inspected, call: InspectionCall): Promise<object | undefined> {
  const { deps, faults, webhooks, tasks } = inspected
  const { method, path } = call
  if (method === 'DELETE') return switchOff(faults, path)
  if (method !== 'POST') return undefined
  const resend = /^deliveries\/(\w+)\/resend$/.exec(path)?.[1]
  if (resend !== undefined) {
    const attempt = await webhooks.resend(resend)
    if (attempt === null) throw missing('event', resend, 'id')
    return { attempt }
  }
  const form = readForm(call)
  if (path === 'tasks/run') return { ran: tasks.runNow(readKinds(form)) }
  if (path === 'faults') {
    const fault = faults.add(parseFault(form))
    if (fault === null) throw invalid('There are too many faults: switch some off.')
    return { fault }
  }
  if (path === 'webhook-secrets') {
    const secrets = readSecrets(form)
    inspected.signWith(secrets)
    return { active: secrets.length }
  }
  const dashboard = /^dashboard\/(.+)$/.exec(path)?.[1]
  if (dashboard === undefined) return undefined
  return actInDashboard(deps, { path: dashboard, form }, call.cause)
}

/** One kind, or all but the end of authorizations, which would take away what can be captured. */
function readKinds(form: FormObject): readonly Task['kind'][] {
  const parameters = readParameters(form)
  const kind = parameters.oneOf('kind', taskKinds)
  parameters.finish()
  return kind === undefined ? taskKinds.filter((each) => each !== 'authorization_end') : [kind]
}

function switchOff(faults: Faults, path: string): object | undefined {
  if (path === 'faults') return { removed: faults.clear() }
  const id = /^faults\/(\w+)$/.exec(path)?.[1]
  if (id === undefined) return undefined
  if (!faults.remove(id)) throw missing('fault', id, 'id')
  return { removed: 1 }
}

function readSecrets(form: FormObject): string[] {
  const { secrets } = form
  const list = typeof secrets === 'object' ? Object.values(secrets) : []
  const sound = list.filter((each) => typeof each === 'string' && each.length >= minSecretLength)
  if (sound.length === 0 || sound.length !== list.length || sound.length > maxSecrets) {
    const message = `Give one to ${maxSecrets} secrets of at least ${minSecretLength} characters.`
    throw invalid(message, { param: 'secrets' })
  }
  return sound as string[]
}

/** A form as Stripe's own calls have it, or the same as JSON. */
function readForm({ body, isJson }: InspectionCall): FormObject {
  if (!isJson) return parseForm(body)
  try {
    return toForm(JSON.parse(body === '' ? '{}' : body))
  } catch (error) {
    if (error instanceof SyntaxError) throw invalid('The body is not JSON.')
    throw error
  }
}

function toForm(value: unknown): FormObject {
  if (typeof value !== 'object' || value === null) throw invalid('The body must be an object.')
  const form = Object.create(null) as FormObject
  for (const [name, each] of Object.entries(value)) {
    if (each === null || each === undefined) continue
    form[name] = typeof each === 'object' ? toForm(each) : String(each)
  }
  return form
}
