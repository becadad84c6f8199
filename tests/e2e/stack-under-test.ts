import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, rmSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { eventually, freePort } from '@halles/kit/testing'
import { askControl, type ControlRequest } from '../../stack/src/control.ts'
import { isAlive, signalProcess, startMark } from '../../stack/src/processes.ts'
import { type ProcessEntry, readProcesses } from '../../stack/src/supervisor.ts'

/** A stack of its own that tests may break: in a data folder and on a port that nobody else uses. */
export type StackUnderTest = {
  start(): Promise<void>
  /** Asks it to end, and throws when anything of it is left. */
  stop(): Promise<void>
  readonly url: string
  readonly dataFolder: string
  processes(part?: string): ProcessEntry[]
  stopPart(part: string): Promise<void>
  startPart(part: string): Promise<void>
  /** Runs the work while the part is stopped; the part is ready again afterwards. */
  without<T>(part: string, work: () => Promise<T>): Promise<T>
  /** Sends SIGKILL to one instance, or to all of a part, and returns the process ids. */
  kill(partOrInstance: string): number[]
  /** As `kill`, by the stack's own command; resolves when the processes are gone. */
  crash(partOrInstance: string): Promise<void>
  /** Lets a part or instance (postgres and brokers too) stand still. */
  freeze(partOrInstance: string): Promise<void>
  thaw(partOrInstance: string): Promise<void>
  /** Makes what callers send to a service late by so many milliseconds; 0 ends it. */
  slow(partOrInstance: string, byMs: number): Promise<void>
  /** Runs the work while the part stands still; it goes on afterwards. */
  whileFrozen<T>(partOrInstance: string, work: () => Promise<T>): Promise<T>
  /** Runs the work while the service is slow; it is as before afterwards. */
  whileSlow<T>(partOrInstance: string, byMs: number, work: () => Promise<T>): Promise<T>
  scale(replicas: Readonly<Record<string, number>>): Promise<void>
  /** Rolls through the parts, or through every service; returns what it said meanwhile. */
  restart(parts: readonly string[] | 'all'): Promise<string[]>
  untilReady(part: string): Promise<void>
  readJson(file: string): unknown
}

const root = resolve(import.meta.dirname, '../..')
// A first start creates ten databases and bundles, on a machine that may be busy with other tests.
const startLimitMs = 180_000
// Its own bound for a part is 15 s, for three stages of parts and PostgreSQL.
const stopLimitMs = 90_000
const readyLimitMs = 60_000
const keptOutput = 20_000

/** `env` and `stackArguments` are what `npm start` is told besides. */
export function createStackUnderTest(
  env: Record<string, string> = {},
  stackArguments: readonly string[] = [],
): StackUnderTest {
  const dataFolder = join(tmpdir(), `halles-e2e-${randomUUID().slice(0, 8)}`)
  const seen = new Map<number, string>()
  let child: ChildProcess | undefined
  let output = ''
  let url = ''

  function processes(part?: string): ProcessEntry[] {
    const all = readProcesses(dataFolder)?.processes ?? []
    for (const { pid, startMark: mark } of all) if (pid !== undefined) seen.set(pid, mark)
    return all.filter((each) => part === undefined || [each.part, each.instance].includes(part))
  }

  async function untilReady(part?: string): Promise<void> {
    await eventually(
      () => {
        const found = processes(part)
        return found.length > 0 && found.every(({ state, pid }) => state === 'ready' && isUp(pid))
      },
      { limitMs: part === undefined ? startLimitMs : readyLimitMs },
    )
  }

  async function start(): Promise<void> {
    const port = await freePort()
    url = `http://127.0.0.1:${port}`
    const script = ['stack/src/start.ts', '--host', '127.0.0.1', ...stackArguments]
    const current = spawn(process.execPath, script, {
      cwd: root,
      env: {
        ...process.env,
        HALLES_DATA: dataFolder,
        PORT: String(port),
        // Under npm the stack notices when its parent is gone, so it ends with these tests.
        npm_lifecycle_event: 'start',
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    child = current
    for (const stream of [current.stdout, current.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        output = `${output}${chunk.toString()}`.slice(-keptOutput)
      })
    }
    await eventually(
      async () => {
        if (current.exitCode !== null) return true
        return output.includes('Halles is open after') && (await isOpen(url))
      },
      { limitMs: startLimitMs, intervalMs: 100 },
    ).catch((cause: unknown) => {
      throw new Error(`The stack did not open in time. It said:\n${output}`, { cause })
    })
    if (current.exitCode !== null) throw new Error(`The stack did not start. It said:\n${output}`)
    await untilReady()
  }

  async function stop(): Promise<void> {
    processes()
    const current = child
    if (!current || current.exitCode !== null) return
    const ended = once(current, 'exit', { signal: AbortSignal.timeout(stopLimitMs) })
    current.kill('SIGTERM')
    const [code] = await ended.catch((cause: unknown) => {
      current.kill('SIGKILL')
      throw new Error(`The stack did not end when asked to. It said:\n${output}`, { cause })
    })
    const left = [...seen].filter(([each, mark]) => isAlive(each) && startMark(each) === mark)
    for (const [each] of left) signalProcess(each, 'SIGKILL')
    if (left.length > 0) throw new Error(`Left running: ${left.map(([each]) => each).join(', ')}.`)
    if (await isListening(url)) throw new Error('Somebody still listens on the port of the stack.')
    if (code !== 0) throw new Error(`The stack ended with ${code}. It said:\n${output}`)
    rmSync(dataFolder, { recursive: true, force: true })
  }

  const ask = async (request: ControlRequest, onProgress?: (text: string) => void) => {
    await askControl(dataFolder, request, onProgress)
    // Remembers who runs now, so that a stop finds out whether anybody is left.
    processes()
  }

  const stack: StackUnderTest = {
    start,
    stop,
    get url() {
      return url
    },
    dataFolder,
    processes,
    async stopPart(part) {
      await ask({ command: 'stop', part })
    },
    async startPart(part) {
      await ask({ command: 'start', part })
      await untilReady(part)
    },
    async without(part, work) {
      await stack.stopPart(part)
      try {
        return await work()
      } finally {
        await stack.startPart(part)
      }
    },
    kill(part) {
      const pids = processes(part).flatMap(({ pid }) => (pid === undefined ? [] : [pid]))
      if (pids.length === 0) throw new Error(`Nothing of ${part} runs.`)
      for (const pid of pids) process.kill(pid, 'SIGKILL')
      return pids
    },
    crash: (part) => ask({ command: 'kill', part }),
    freeze: (part) => ask({ command: 'freeze', part }),
    thaw: (part) => ask({ command: 'thaw', part }),
    slow: (part, byMs) => ask({ command: 'slow', part, byMs }),
    async whileFrozen(part, work) {
      await stack.freeze(part)
      try {
        return await work()
      } finally {
        await stack.thaw(part)
      }
    },
    async whileSlow(part, byMs, work) {
      await stack.slow(part, byMs)
      try {
        return await work()
      } finally {
        await stack.slow(part, 0)
      }
    },
    scale: (replicas) => ask({ command: 'scale', replicas }),
    async restart(parts) {
      const said: string[] = []
      await ask({ command: 'restart', parts }, (text) => said.push(text))
      return said
    },
    untilReady,
    readJson: (file) => JSON.parse(readFileSync(join(dataFolder, file), 'utf8')),
  }
  return stack
}

function isUp(pid: number | undefined): boolean {
  return pid !== undefined && isAlive(pid)
}

async function isOpen(url: string): Promise<boolean> {
  const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2_000) })
  await answer.arrayBuffer()
  return answer.status === 200
}

function isListening(url: string): Promise<boolean> {
  return new Promise((settle) => {
    const socket = createConnection({ host: '127.0.0.1', port: Number(new URL(url).port) })
    socket.once('connect', () => {
      socket.destroy()
      settle(true)
    })
    socket.once('error', () => settle(false))
  })
}
