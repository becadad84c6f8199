import { AppError } from '@halles/kit/errors'
import type { Callers } from './callers.ts'
import type { ControlRequest } from './control.ts'
import type { Fleet } from './fleet.ts'
import { createRolling, type Say } from './rolling.ts'
import type { Member, ProcessEntry, Supervisor } from './supervisor.ts'

type Verbs = { supervisor: Supervisor; fleet: Fleet; callers: Pick<Callers, 'untilFound'> }

/** Answers what tools ask of a running stack; two that change the same part exclude each other. */
export function createVerbs({ supervisor, fleet, callers }: Verbs) {
  const { start, scale, roll } = createRolling({ supervisor, fleet, callers })
  const busy = new Map<string, string>()

  /** Refuses instead of waiting: who asked second should know what is going on. */
  async function alone<T>(parts: readonly string[], what: string, work: () => Promise<T>) {
    for (const part of parts) {
      const other = busy.get(part)
      if (other === undefined) continue
      const message = `${part} is busy: ${other} is under way. Try again when it is done.`
      throw new AppError('conflict', 'PART_BUSY', message)
    }
    for (const part of parts) busy.set(part, what)
    try {
      return await work()
    } finally {
      for (const part of parts) busy.delete(part)
    }
  }

  const entriesOf = (members: readonly Member[]): ProcessEntry[] =>
    supervisor
      .status()
      .filter(({ instance }) => members.some((member) => member.instance === instance))

  async function changing(name: string, what: string, work: (members: Member[]) => Promise<void>) {
    const members = supervisor.find(name)
    await alone(partsOf(members), `${what} ${name}`, () => work(members))
    return entriesOf(members)
  }

  function crash(name: string) {
    const members = supervisor.find(name)
    const running = members.filter(({ process: kept }) => kept.status().pid !== undefined)
    if (running.length === 0) throw new AppError('conflict', 'NOT_RUNNING', `${name} does not run.`)
    return Promise.all(running.map(supervisor.crash)).then(() => entriesOf(members))
  }

  function slow(name: string, byMs: number) {
    return changing(name, 'slow', async (members) => {
      for (const { part } of members) {
        if (fleet.isFollowed(part)) continue
        const message = `${part} cannot be slowed: nobody finds it by a list of addresses. freeze makes it stand still.`
        throw new AppError('conflict', 'NOT_SLOWABLE', message)
      }
      for (const member of members) await supervisor.slow(member, byMs)
    })
  }

  function scaleAll(replicas: Readonly<Record<string, number>>, say: Say) {
    const parts = Object.keys(replicas)
    const wanted = Object.entries(replicas).map(([part, count]) => {
      if (!fleet.canReplicate(part)) {
        const message = `${JSON.stringify(part)} cannot be scaled; these can: ${fleet.replicable.join(', ')}.`
        throw new AppError('not-found', 'NOT_SCALABLE', message)
      }
      return count - supervisor.find(part).length
    })
    return alone(parts, `scale ${parts.join(', ')}`, async () => {
      const running = supervisor.status().filter(({ part }) => fleet.canReplicate(part)).length
      fleet.checkRoom(wanted.reduce((sum, more) => sum + more, running))
      for (const [part, count] of Object.entries(replicas)) await scale(part, count, say)
      return entriesOf(parts.flatMap(supervisor.find))
    })
  }

  function restart(names: readonly string[] | 'all', say: Say) {
    const wanted = names === 'all' ? fleet.replicable : names
    // What others need first, the gateways last; the servers before everybody.
    const members = [...new Set(wanted.flatMap(supervisor.find))].sort((a, b) => a.stage - b.stage)
    const parts = partsOf(members)
    return alone(parts, 'restart', async () => {
      for (const part of parts) {
        const own = members.filter((member) => member.part === part)
        await roll(part, own, say)
      }
      return entriesOf(members)
    })
  }

  return async function answer(request: ControlRequest, say: Say): Promise<unknown> {
    if (request.command === 'status') return supervisor.status()
    if (request.command === 'scale') return scaleAll(request.replicas, say)
    if (request.command === 'restart') return restart(request.parts, say)
    const { command, part } = request
    if (command === 'start') return changing(part, command, start)
    if (command === 'stop') return changing(part, command, supervisor.stopSome)
    if (command === 'slow') return slow(part, request.byMs)
    if (command === 'kill') return crash(part)
    const members = supervisor.find(part)
    for (const member of members) supervisor[command](member)
    return entriesOf(members)
  }
}

function partsOf(members: readonly Member[]): string[] {
  return [...new Set(members.map(({ part }) => part))]
}
