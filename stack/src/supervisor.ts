import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { AppError } from '@halles/kit/errors'
import type { ControlRequest } from './control.ts'
import { readJson, writeJson } from './files.ts'
import {
  createKeptProcess,
  type KeptProcess,
  type KeptProcessOptions,
  type ProcessState,
} from './kept-process.ts'
import type { Logs } from './logs.ts'
import { commandOf, signalProcess, startMark, untilGone } from './processes.ts'

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

export type ProcessEntry = {
  part: string
  instance: string
  state: ProcessState
  pid: number | undefined
  ports: Readonly<Record<string, number>>
  restarts: number
  /** Tells the process from another one that got its id later. */
  startMark: string
}

/** What `$HALLES_DATA/processes.json` says to tools and tests. */
export type ProcessesFile = { pid: number; url: string; processes: ProcessEntry[] }

export type Supervisor = {
  add(member: Member): void
  /** Starts every member that does not run yet; rejects with the first that cannot. */
  start(): Promise<void>
  stop(): Promise<void>
  /** Kills everything at once. */
  kill(): void
  status(): ProcessEntry[]
  control(request: ControlRequest): Promise<unknown>
  /** Rewrites processes.json; to be called whenever a member changes. */
  record(): void
}

export type SupervisorOptions = {
  dataFolder: string
  url: string
  onProblem(text: string): void
}

/** Starts, stops and lists the processes of the platform. */
export function createSupervisor(options: SupervisorOptions): Supervisor {
  const members: Member[] = []
  const file = join(options.dataFolder, 'processes.json')

  function status(): ProcessEntry[] {
    return members.map(({ part, instance, ports, process: kept, pid: pidOf }) => {
      const { state, restarts, pid: childPid } = kept.status()
      const pid = childPid === undefined ? undefined : (pidOf?.() ?? childPid)
      const mark = pid === undefined ? '' : startMark(pid)
      return { part, instance, state, pid, ports, restarts, startMark: mark }
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

  function find(name: string): Member[] {
    const found = members.filter(({ part, instance }) => part === name || instance === name)
    if (found.length > 0) return found
    const known = [...new Set(members.map(({ part }) => part))].join(', ')
    throw new Error(`There is no part ${JSON.stringify(name)}. Known: ${known}.`)
  }

  const startAll = (some: Member[]) => Promise.all(some.map((member) => member.process.start()))
  const stopAll = (some: Member[]) => Promise.all(some.map((member) => member.process.stop()))

  return {
    status,
    record,
    add: (member) => void members.push(member),
    async start() {
      await startAll(members)
    },
    async stop() {
      const stages = [...new Set(members.map(({ stage }) => stage))].sort((a, b) => b - a)
      for (const stage of stages) await stopAll(members.filter((member) => member.stage === stage))
      record()
    },
    kill() {
      for (const member of members) member.process.kill()
    },
    async control(request) {
      if (request.command === 'status') return status()
      const some = find(request.part)
      if (request.command === 'start') await startAll(some)
      else if (request.command === 'stop') await stopAll(some)
      else if (request.command === 'restart') {
        await stopAll(some)
        await startAll(some)
      } else throw new Error('Unknown command: use status, start, stop or restart.')
      return status().filter(({ instance }) => some.some((member) => member.instance === instance))
    },
  }
}

export type NodeProcessOptions = {
  name: string
  /** The part whose log it writes to. */
  part: string
  script: string
  cwd: string
  env: Readonly<Record<string, string>>
  logs: Logs
  onChange: KeptProcessOptions['onChange']
  bounds?: Partial<
    Pick<KeptProcessOptions, 'readyTimeoutMs' | 'stopTimeoutMs' | 'backoff' | 'giveUpAfter'>
  >
}

// From our own environment a part gets these alone; the rest is what the topology says.
const inherited = [
  'PATH',
  'HOME',
  'TZ',
  'LANG',
  'LC_ALL',
  'TMPDIR',
  'NODE_OPTIONS',
  'NODE_EXTRA_CA_CERTS',
]

/** A Node process that says `{ type: 'ready' }` over IPC and ends by itself when we do. */
export function createNodeProcess(options: NodeProcessOptions): KeptProcess {
  const { name, part, script, cwd, env, logs } = options
  return createKeptProcess({
    name,
    // First start of a part runs its migrations on a machine that is busy with ten others.
    readyTimeoutMs: 60_000,
    // Longer than a service's own drain (10 s).
    stopTimeoutMs: 15_000,
    backoff: { firstMs: 200, maxMs: 10_000, stableMs: 30_000 },
    giveUpAfter: 3,
    ...options.bounds,
    onChange: options.onChange,
    async launch() {
      if (!existsSync(script)) {
        throw new AppError(
          'unavailable',
          'SOURCE_MISSING',
          `${name} cannot start: ${script} is missing.`,
        )
      }
      const base = inherited.flatMap((key) => {
        const value = process.env[key]
        return value === undefined ? [] : [[key, value]]
      })
      const fd = logs.open(part)
      return spawn(process.execPath, ['--enable-source-maps', script], {
        cwd,
        env: { ...Object.fromEntries(base), ...env },
        // A group of its own: Ctrl-C reaches us alone, and we stop the parts in order.
        detached: true,
        stdio: ['ignore', fd, fd, 'ipc'],
      })
    },
    untilReady: (child, signal) => untilReadyMessage(child, signal),
    askToStop: (child) => void child.kill('SIGTERM'),
  })
}

function untilReadyMessage(child: ChildProcess, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    child.on('message', (message) => {
      if (typeof message === 'object' && 'type' in message && message.type === 'ready')
        resolve(true)
    })
    signal.addEventListener('abort', () => resolve(false), { once: true })
  })
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
