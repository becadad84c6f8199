import { join } from 'node:path'
import { AppError } from '@halles/kit/errors'
import { createDiscoveryFiles } from './discovery-files.ts'
import { readJson, writeJson } from './files.ts'
import { type KeptProcess, type ProcessState, untilNoted } from './kept-process.ts'
import { commandOf, signalProcess, startMark, thawAll, treeOf, untilGone } from './processes.ts'
import { createSlowing } from './slowing.ts'

/** A process under supervision. */
export type Member = {
  part: string
  instance: string
  ports: Readonly<Record<string, number>>
  /** Members of a higher stage stop first. */
  stage: number
  process: KeptProcess
  /** The process that does the work, where that is not the child itself. */
  pid?(): number | undefined
}

export const isUp = ({ process: kept }: Member) => kept.status().state === 'ready'

export type ProcessEntry = {
  part: string
  instance: string
  state: ProcessState
  pid: number | undefined
  ports: Readonly<Record<string, number>>
  restarts: number
  /** By how much everything that it is sent is late; 0 unless it was slowed. */
  slowedByMs: number
  /** Tells the process from another one that got its id later. */
  startMark: string
}

/** What `$HALLES_DATA/processes.json` says to tools and tests. */
export type ProcessesFile = { pid: number; url: string; processes: ProcessEntry[] }

export type Supervisor = {
  add(member: Member): void
  /** Forgets a member that does not run. */
  remove(member: Member): void
  /** The members of a part, or the one instance. Throws `PART_UNKNOWN`. */
  find(partOrInstance: string): Member[]
  /** Starts every member that does not run yet; rejects with the first that cannot. */
  start(): Promise<void>
  /** Starts some, each listed for its callers as soon as it is ready. */
  startSome(members: readonly Member[]): Promise<void>
  /** Stops some; they leave the lists of their callers first. */
  stopSome(members: readonly Member[]): Promise<void>
  /** Kills a process as a crash would, so that it is started again; resolves when it is gone. */
  crash(member: Member): Promise<void>
  freeze(member: Member): void
  thaw(member: Member): void
  /** Makes what callers send to the member late by so many milliseconds; 0 ends it. */
  slow(member: Member, byMs: number): Promise<void>
  stop(): Promise<void>
  /** Kills everything at once. */
  kill(): void
  status(): ProcessEntry[]
  /** Rewrites processes.json; to be called whenever a member changes. */
  record(): void
}

export type SupervisorOptions = {
  dataFolder: string
  url: string
  onProblem(text: string): void
  /**
   * Called with the instances of a part that callers have been told of, also those that are away
   * for a while, whenever these may have changed.
   */
  onKnown?(part: string, members: readonly Member[]): void
}

/** An instance, and where callers reach it. */
type Listed = Pick<Member, 'instance' | 'ports'>

/** What the supervisor knows of a member besides. */
type Standing = {
  member: Member
  /** Whether callers are told of it. */
  isListed: boolean
  /** Whether callers have ever been told of it. */
  isKnown: boolean
}

const killLimitMs = 5_000

/** Starts, stops and lists the processes of the platform, and tells callers where they are. */
export function createSupervisor(options: SupervisorOptions): Supervisor {
  let standings: Standing[] = []
  let isClosing = false
  const slowing = createSlowing()
  const file = join(options.dataFolder, 'processes.json')
  const lists = createLists(options)

  function status(): ProcessEntry[] {
    return standings.map(({ member }) => {
      const { part, instance, ports } = member
      const { state, restarts } = member.process.status()
      const pid = pidOf(member)
      const mark = pid === undefined ? '' : startMark(pid)
      const slowedByMs = slowing.byMs(instance)
      return { part, instance, state, pid, ports, restarts, slowedByMs, startMark: mark }
    })
  }

  function record(): void {
    const content = { pid: process.pid, url: options.url, processes: status() }
    try {
      writeJson(file, content satisfies ProcessesFile)
    } catch (error) {
      // A full disk must not take the parts down with the list of them.
      options.onProblem(`${file} could not be written: ${error}`)
    }
  }

  const standingOf = (member: Member) => standings.find((each) => each.member === member)

  function publish(part: string): void {
    const own = standings.filter(({ member }) => member.part === part)
    const instances = own
      .filter(({ isListed }) => isListed)
      .map(({ member: { instance, ports } }) => ({
        instance,
        ports: slowing.reached(instance, ports),
      }))
    lists.tell(part, instances)
    const known = own.filter(({ isKnown }) => isKnown)
    options.onKnown?.(
      part,
      known.map(({ member }) => member),
    )
  }

  function list(members: readonly Member[], isListed: boolean): void {
    for (const member of members) {
      const standing = standingOf(member)
      if (!standing) continue
      standing.isListed = isListed
      standing.isKnown ||= isListed
    }
    for (const part of new Set(members.map((each) => each.part))) publish(part)
  }

  async function startSome(members: readonly Member[]): Promise<void> {
    if (isClosing) throw new AppError('conflict', 'STACK_CLOSING', 'The stack is being closed.')
    await Promise.all(
      members.map(async (member) => {
        await member.process.start()
        list([member], true)
      }),
    )
  }

  async function stopSome(members: readonly Member[]): Promise<void> {
    for (const part of new Set(members.map((each) => each.part))) {
      const staying = standings.filter(
        ({ member, isListed }) => member.part === part && isListed && !members.includes(member),
      )
      // The last ones stay: a list of who is down tells callers more than an empty one.
      if (staying.length > 0)
        list(
          members.filter((each) => each.part === part),
          false,
        )
    }
    await Promise.all(members.map((member) => member.process.stop()))
  }

  return {
    status,
    record,
    startSome,
    stopSome,
    add: (member) => void standings.push({ member, isListed: false, isKnown: false }),
    remove(member) {
      slowing.retire(member.instance)
      standings = standings.filter((each) => each.member !== member)
      publish(member.part)
      record()
    },
    find(name) {
      const members = standings.map(({ member }) => member)
      const found = members.filter(({ part, instance }) => part === name || instance === name)
      if (found.length > 0) return found
      const known = [...new Set(members.map(({ part }) => part))].join(', ')
      const message = `There is no part ${JSON.stringify(name)}. Known: ${known}.`
      throw new AppError('not-found', 'PART_UNKNOWN', message)
    },
    async start() {
      const members = standings.map(({ member }) => member)
      // Listed before they are ready, so that those who start beside them find whom to wait for.
      list(members, true)
      await startSome(members)
    },
    async crash(member) {
      const pid = pidOf(member)
      if (pid === undefined) {
        throw new AppError('conflict', 'NOT_RUNNING', `${member.instance} does not run.`)
      }
      const before = member.process.status()
      signalProcess(pid, 'SIGKILL')
      await untilGone(pid, killLimitMs)
      await untilNoted(member.process, before, killLimitMs)
    },
    freeze(member) {
      member.process.freeze(pidOf(member))
    },
    thaw: (member) => member.process.thaw(),
    async slow({ part, instance, ports }, byMs) {
      await slowing.slow(instance, ports, byMs)
      publish(part)
      record()
    },
    async stop() {
      isClosing = true
      const members = standings.map(({ member }) => member)
      // Those that drain may need those that stand still.
      for (const member of members) member.process.thaw()
      const stages = [...new Set(members.map(({ stage }) => stage))].sort((a, b) => b - a)
      for (const stage of stages) {
        const some = members.filter((member) => member.stage === stage)
        await Promise.all(some.map((member) => member.process.stop({ isHurried: true })))
      }
      slowing.close()
      record()
    },
    kill() {
      isClosing = true
      for (const { member } of standings) member.process.kill()
    },
  }
}

/** Tells callers who is there, whenever that changes. */
function createLists({ dataFolder, onProblem }: SupervisorOptions) {
  const files = createDiscoveryFiles(dataFolder)
  const told = new Map<string, string>()
  return {
    tell(part: string, instances: readonly Listed[]): void {
      const text = JSON.stringify(instances)
      if (told.get(part) === text) return
      try {
        files.publish(
          part,
          instances.map(({ ports }) => ports),
        )
        told.set(part, text)
      } catch (error) {
        // A full disk: callers go on with the list that they read last.
        onProblem(`The instances of ${part} could not be published: ${error}`)
      }
    },
  }
}

function pidOf({ process: kept, pid }: Member): number | undefined {
  const { pid: childPid } = kept.status()
  return childPid === undefined ? undefined : (pid?.() ?? childPid)
}

// What keeps data ends in its own time, and the next start sees to it.
const isServer = (part: string) => ['postgres', 'rabbitmq', 'kafka', 'redis'].includes(part)

// Less than a service's longest drain: whoever starts again waits for it.
const leftoverDrainMs = 5_000

/**
 * Ends what an earlier stack left behind: its parts end by themselves when it dies, but one that
 * hangs does not notice.
 */
export async function stopLeftovers(dataFolder: string): Promise<number> {
  const known = readProcesses(dataFolder)
  const left = (known?.processes ?? []).filter(
    ({ part, pid, startMark: mark }) =>
      !isServer(part) &&
      pid !== undefined &&
      mark !== '' &&
      commandOf(pid) !== '' &&
      startMark(pid) === mark,
  )
  // What was frozen does not notice that its stack is gone; the servers neither.
  for (const { pid, state } of known?.processes ?? []) {
    if (state === 'frozen' && pid !== undefined) thawAll(treeOf(pid))
  }
  // They are draining already; a signal would cut that short.
  const endsAtMs = performance.now() + leftoverDrainMs
  for (const { pid } of left) {
    if (pid === undefined) continue
    if (!(await untilGone(pid, endsAtMs - performance.now()))) signalProcess(pid, 'SIGKILL')
  }
  return left.length
}

/** What the stack that runs, or last ran, on the data folder wrote down; undefined when none did. */
export function readProcesses(dataFolder: string): ProcessesFile | undefined {
  return readJson(join(dataFolder, 'processes.json')) as ProcessesFile | undefined
}
