import { setTimeout as pause } from 'node:timers/promises'
import type { StackAction, StackChange, StackProcess } from '@halles/contracts/gen/http/gateway'
import { AppError } from '@halles/kit/errors'
import type { Logger } from '@halles/kit/logging'
import type { Audit } from '../audit.ts'
import type { StackControl, StackRequest } from '../stack-control.ts'

export type PartActions = {
  /** @throws what {@link StackControl} throws, `NOT_A_LOCAL_STACK`, `DOOR_NEEDED`, `AUDIT_UNAVAILABLE`. */
  act(order: { name: string; action: StackAction; actorId: string }): Promise<StackChange>
  scale(order: { part: string; replicas: number; actorId: string }): Promise<StackChange>
}

type Entry = Parameters<Audit['record']>[0]

// People wait this long at a button; what takes longer is seen in the picture.
const answerWithinMs = 5_000
// The answer is on its way by then.
const headStartMs = 250
// A part that was thawed needs a moment before rbac can write again.
const recordTries = 10
const recordEveryMs = 3_000

/** What an operator does to the parts of a local stack. */
export function createPartActions(deps: {
  /** Undefined where no stack gave this gateway a way to itself. */
  control: StackControl | undefined
  audit: Audit
  /** This gateway's instance. */
  self: string
  logger: Logger
}): PartActions {
  const { audit, self, logger } = deps

  function controlOf(): StackControl {
    if (deps.control) return deps.control
    const text = 'Only in a local stack can parts be started, stopped or disturbed from here.'
    throw new AppError('not-found', 'NOT_A_LOCAL_STACK', text)
  }

  const warn = (error: unknown, { action, target }: Entry) => {
    logger.warn({ error, action, target }, 'What an operator asked of the stack failed.')
  }

  /** Answers when it is done, or before, when that takes long or would take the answer with it. */
  async function change(
    request: StackRequest,
    { processes, entry, isLater }: { processes: StackProcess[]; entry: Entry; isLater: boolean },
  ): Promise<StackChange> {
    const control = controlOf()
    const underWay: StackChange = { isDone: false, processes }
    if (isLater) {
      void pause(headStartMs)
        .then(() => control.ask(request))
        .catch((error: unknown) => warn(error, entry))
      return underWay
    }
    const done = control.ask(request).then((changed) => ({ isDone: true, processes: changed }))
    const waiting = new AbortController()
    const late = pause(answerWithinMs, underWay, { signal: waiting.signal })
    const first = await Promise.race([done, late]).finally(() => waiting.abort())
    if (first === underWay) done.catch((error: unknown) => warn(error, entry))
    return first
  }

  /** Records in the end what could not be recorded before: it may be what was broken. */
  async function recordLater(entry: Entry): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      try {
        await audit.record(entry)
        return
      } catch (error) {
        if (tries === recordTries) {
          logger.error({ error, ...entry }, 'What an operator did is not in the audit log.')
          return
        }
        await pause(recordEveryMs, undefined, { ref: false })
      }
    }
  }

  return {
    async act({ name, action: { action, slowMs }, actorId }) {
      const control = controlOf()
      const request = toRequest(name, action, slowMs)
      const all = await control.ask({ command: 'status' })
      const processes = all.filter(({ part, instance }) => part === name || instance === name)
      if (processes.length === 0) throw partUnknown(name)
      if (action === 'stop' || action === 'freeze') requireDoor(all, processes)
      const details = slowMs === undefined ? {} : { slowMs }
      const entry = { actorId, action: `part-${action}`, target: `part:${name}`, details }
      // What brings a part back must not wait for rbac: that part may be what rbac lacks.
      const isRemedy = action === 'start' || action === 'thaw' || slowMs === 0
      if (!isRemedy) await audit.record(entry)
      const isLater = !isRemedy && processes.some((each) => isNeeded(each, self))
      const changed = await change(request, { processes, entry, isLater })
      if (isRemedy) void recordLater(entry)
      return changed
    },
    async scale({ part, replicas, actorId }) {
      const processes = (await controlOf().ask({ command: 'status' })).filter(
        (each) => each.part === part,
      )
      if (processes.length === 0) throw partUnknown(part)
      const entry = { actorId, action: 'part-scale', target: `part:${part}`, details: { replicas } }
      await audit.record(entry)
      const request: StackRequest = { command: 'scale', replicas: { [part]: replicas } }
      return change(request, { processes, entry, isLater: processes.some(isSelf(self)) })
    },
  }
}

const partUnknown = (name: string) =>
  new AppError('not-found', 'PART_UNKNOWN', `There is no part ${name}.`)

const isSelf = (self: string) => (each: StackProcess) => each.instance === self

/** Whether this gateway could not answer, or not be heard, without it. */
function isNeeded(each: StackProcess, self: string): boolean {
  return isSelf(self)(each) || ['postgres', 'haproxy'].includes(each.part)
}

/** Nobody could undo what shuts the last door to this operation. */
function requireDoor(all: readonly StackProcess[], chosen: readonly StackProcess[]): void {
  const isStaying = (each: StackProcess) =>
    !chosen.some(({ instance }) => instance === each.instance)
  const hasGateway = all.some(
    (each) => each.part === 'gateway' && each.state === 'ready' && isStaying(each),
  )
  const takesGateway = chosen.some(({ part }) => part === 'gateway') && !hasGateway
  if (!takesGateway && !chosen.some(({ part }) => part === 'haproxy')) return
  const text = 'Nobody could reach the shop or this console then. Do it on the command line.'
  throw new AppError('conflict', 'DOOR_NEEDED', text)
}

function toRequest(
  name: string,
  action: StackAction['action'],
  slowMs: number | undefined,
): StackRequest {
  if ((action === 'slow') !== (slowMs !== undefined)) {
    const detail = action === 'slow' ? 'is missing' : `does not belong to ${action}`
    throw new AppError('invalid', 'INVALID_REQUEST', 'The request is not valid.', {
      errors: [{ pointer: '/body/slowMs', detail }],
    })
  }
  if (action === 'slow') return { command: action, part: name, byMs: slowMs ?? 0 }
  return action === 'restart' ? { command: action, parts: [name] } : { command: action, part: name }
}
