import type { StackAction, SystemInstance } from '@halles/contracts/gen/http/gateway'
import { type ActionFunctionArgs, data, type LoaderFunctionArgs } from 'react-router'
import { numberOf, type Refusal, refusalOf, textOf } from '../../server/form.server.ts'
import { type Page, pageOf, problemOf } from '../../server/page.server.ts'
import { requireStaff } from '../../server/staff.server.ts'

/** What is read of a part besides the picture: where nothing could be read, `problems` is null. */
export type PartRecord = {
  points: readonly SystemInstance['points'][]
  problems: readonly (SystemInstance['problems'][number] & { instance: string })[] | null
  routes: SystemInstance['routes']
}
export type PartAnswer = { ok: true; isDone: boolean; action: string } | ({ ok: false } & Refusal)

// As many as a panel has room for; each is one call.
const mostInstances = 8
const shownProblems = 20
const shownRoutes = 8

/** What the instances of a part remember. */
export async function loader(args: LoaderFunctionArgs): Promise<PartRecord> {
  const page = pageOf(args)
  await requireStaff(page, ['system:read'])
  const ids = page.url.searchParams.getAll('instance').slice(0, mostInstances)
  const found = await Promise.all(ids.map((instanceId) => readInstance(page, instanceId)))
  const known = found.filter((each) => each !== undefined)
  const problems = known
    .flatMap(({ id, problems: all }) => all.map((problem) => ({ ...problem, instance: id })))
    .sort((a, b) => b.at.localeCompare(a.at))
  const routes = known.flatMap((each) => each.routes)
  return {
    points: known.map(({ points }) => points),
    problems: known.length === 0 ? null : problems.slice(0, shownProblems),
    routes: addUpRoutes(routes),
  }
}

/** One that does not answer is shown without what it remembers. */
async function readInstance(page: Page, instanceId: string): Promise<SystemInstance | undefined> {
  try {
    return (await page.call('getSystemInstance', { params: { instanceId } })).data
  } catch (error) {
    const problem = problemOf(error)
    if (!problem || problem.status < 404) throw error
    return undefined
  }
}

function addUpRoutes(routes: SystemInstance['routes']): SystemInstance['routes'] {
  return [...Map.groupBy(routes, ({ route }) => route)]
    .map(([route, each]) => ({
      route,
      perSecond: each.reduce((sum, { perSecond }) => sum + perSecond, 0),
      failuresPerSecond: each.reduce((sum, { failuresPerSecond }) => sum + failuresPerSecond, 0),
    }))
    .filter(({ perSecond }) => perSecond > 0)
    .sort((a, b) => b.perSecond - a.perSecond)
    .slice(0, shownRoutes)
}

const actions = ['start', 'stop', 'kill', 'freeze', 'thaw', 'slow', 'restart'] as const

/** Does to a part what an operator asked for. */
export async function action(args: ActionFunctionArgs) {
  const page = pageOf(args)
  await requireStaff(page, ['system:write'])
  const form = await args.request.formData()
  const name = textOf(form, 'action')
  const target = textOf(form, 'target') || (args.params.part ?? '')
  try {
    const { isDone } =
      name === 'scale'
        ? await scale(page, args.params.part ?? '', form)
        : await act(page, target, toAction(name, form))
    return { ok: true, isDone, action: name } satisfies PartAnswer
  } catch (error) {
    return data({ ok: false, ...refusalOf(error) } satisfies PartAnswer, { status: 422 })
  }
}

async function scale(page: Page, part: string, form: FormData) {
  const replicas = numberOf(form, 'replicas', { min: 1, max: 16, fallback: 1 })
  return (await page.call('scalePart', { params: { part }, body: { replicas } })).data
}

async function act(page: Page, partOrInstance: string, body: StackAction) {
  return (await page.call('actOnPart', { params: { partOrInstance }, body })).data
}

function toAction(name: string, form: FormData): StackAction {
  const action = actions.find((each) => each === name)
  if (action === undefined) {
    throw data({ status: 400, code: 'INVALID_REQUEST', part: 'web', detail: '' }, { status: 400 })
  }
  if (action !== 'slow') return { action }
  return { action, slowMs: numberOf(form, 'slowMs', { min: 0, max: 60_000, fallback: 0 }) }
}
