import { setTimeout as delay } from 'node:timers/promises'
import type { Fleet } from './fleet.ts'
import type { Member, Supervisor } from './supervisor.ts'

export type Say = (progress: string) => void

export type Rolling = {
  /** Starts members; resolves when their callers have had time to find them. */
  start(members: readonly Member[]): Promise<void>
  /** Has so many instances of a part; those with the highest numbers go first. */
  scale(part: string, count: number, say: Say): Promise<void>
  /** Restarts members of a part one after another, while another one serves. */
  roll(part: string, members: readonly Member[], say: Say): Promise<void>
}

// Callers look at the list of addresses every quarter of a second and probe who is new on it.
const followMs = 1_000
// HAProxy takes a gateway back after three good answers, half a second apart.
const balancerFollowMs = 2_500

const followMsOf = (part: string) => (part === 'gateway' ? balancerFollowMs : followMs)

/** Instances that come and go while requests do. */
export function createRolling({
  supervisor,
  fleet,
}: {
  supervisor: Supervisor
  fleet: Fleet
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

  const isUp = ({ process: kept }: Member) => kept.status().state === 'ready'

  async function roll(part: string, members: readonly Member[], say: Say): Promise<void> {
    if (!fleet.canReplicate(part)) {
      say(`${part}: there is only one of it, so whoever needs it waits while it is restarted`)
      await supervisor.stopSome(members)
      await supervisor.startSome(members)
      return say(`${part} is ready again`)
    }
    for (const member of [...members].sort(byNumber)) {
      const others = supervisor.find(part).filter((each) => each !== member)
      // Nobody else could take the requests: another one does while this one is away.
      const substitute = others.some(isUp) ? undefined : await addTo(part, say)
      await delay(followMsOf(part))
      await supervisor.stopSome([member])
      await supervisor.startSome([member])
      say(`${member.instance} is ready again`)
      if (!substitute) continue
      await delay(followMsOf(part))
      await removeFrom(substitute)
      say(`${substitute.instance} has drained and is gone`)
    }
  }

  return {
    async start(members) {
      await supervisor.startSome(members)
      await delay(followMs)
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
