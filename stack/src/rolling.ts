import type { Callers } from './callers.ts'
import type { Fleet } from './fleet.ts'
import { isUp, type Member, type Supervisor } from './supervisor.ts'

export type Say = (progress: string) => void

export type Rolling = {
  /** Starts members; resolves when their callers have found them. */
  start(members: readonly Member[]): Promise<void>
  /** Has so many instances of a part; those with the highest numbers go first. */
  scale(part: string, count: number, say: Say): Promise<void>
  /** Restarts members of a part one after another, while another one serves. */
  roll(part: string, members: readonly Member[], say: Say): Promise<void>
}

/** Instances that come and go while requests do. */
export function createRolling({
  supervisor,
  fleet,
  callers,
}: {
  supervisor: Supervisor
  fleet: Fleet
  callers: Pick<Callers, 'untilFound'>
}): Rolling {
  /** Adds the instance with the lowest free number; it is gone again when it cannot start. */
  async function addTo(part: string, say: Say): Promise<Member> {
    const taken = supervisor.find(part).map(({ instance }) => instance)
    const member = await fleet.create(part, taken)
    supervisor.add(member)
    try {
      await supervisor.startSome([member])
    } catch (error) {
      await removeFrom(member)
      throw error
    }
    say(`${member.instance} is ready`)
    return member
  }

  async function removeFrom(member: Member): Promise<void> {
    await supervisor.stopSome([member])
    supervisor.remove(member)
  }

  async function scale(part: string, count: number, say: Say): Promise<void> {
    while (supervisor.find(part).length < count) await addTo(part, say)
    const extra = supervisor.find(part).sort(byNumber).slice(count).reverse()
    for (const member of extra) {
      await removeFrom(member)
      say(`${member.instance} has drained and is gone`)
    }
  }

  async function roll(part: string, members: readonly Member[], say: Say): Promise<void> {
    if (!fleet.canReplicate(part)) {
      say(`${part}: there is only one of it, so whoever needs it waits while it is restarted`)
      await supervisor.stopSome(members)
      await supervisor.startSome(members)
      return say(`${part} is ready again`)
    }
    for (const member of [...members].sort(byNumber)) {
      const others = supervisor.find(part).filter((each) => each !== member && isUp(each))
      // Nobody else could take the requests: another one does while this one is away.
      const substitute = others.length > 0 ? undefined : await addTo(part, say)
      await callers.untilFound(substitute ? [substitute] : others)
      await supervisor.stopSome([member])
      await supervisor.startSome([member])
      say(`${member.instance} is ready again`)
      if (!substitute) continue
      await callers.untilFound([member])
      await removeFrom(substitute)
      say(`${substitute.instance} has drained and is gone`)
    }
  }

  return {
    async start(members) {
      await supervisor.startSome(members)
      await callers.untilFound(members)
    },
    scale,
    roll,
  }
}

function byNumber(a: Member, b: Member): number {
  return numberIn(a.instance) - numberIn(b.instance)
}

/** 2 in `auth-2`. */
function numberIn(instance: string): number {
  return Number(/-(\d+)$/.exec(instance)?.[1] ?? 0)
}
