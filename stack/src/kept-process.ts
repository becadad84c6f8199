import type { ChildProcess } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { AppError } from '@halles/kit/errors'
import { freezeTree, type MarkedProcess, thawAll } from './processes.ts'

/** `waiting`: it crashed and is started again soon; `frozen`: it was ready and stands still. */
export type ProcessState = 'stopped' | 'starting' | 'ready' | 'frozen' | 'waiting' | 'stopping'

export type KeptProcessOptions = {
  name: string
  /** Starts the process, in a process group of its own. An AppError thrown here is final. */
  launch(): Promise<ChildProcess>
  /** Resolves true when the process can work, false when the signal ended the wait. */
  untilReady(child: ChildProcess, signal: AbortSignal): Promise<boolean>
  /** `isHurried`: its callers end too, so that it need not wait until they have gone elsewhere. */
  askToStop(child: ChildProcess, isHurried: boolean): void
  /** A process that is not ready after this long is killed and counts as crashed. */
  readyTimeoutMs: number
  /** A process that was asked to stop is killed after this long. */
  stopTimeoutMs: number
  /** Pause before a restart: doubles from `firstMs` to `maxMs`, back to the first after `stableMs`. */
  backoff: { firstMs: number; maxMs: number; stableMs: number }
  /** Crashes before it was ever ready, after which `start` rejects and nothing is retried. */
  giveUpAfter: number
  onChange(change: { state: ProcessState; reason?: string }): void
}

export type KeptProcess = {
  name: string
  /** Resolves when the process is ready; rejects when it gives up or is stopped before. */
  start(): Promise<void>
  stop(how?: { isHurried: boolean }): Promise<void>
  /** Kills the process and its group at once and does not restart it. */
  kill(): void
  /**
   * Lets the process `pid` (the child itself) and all below it stand still until `thaw`; a stop or
   * the end of the child thaws what is left. Throws `NOT_READY` unless it is ready.
   */
  freeze(pid?: number): void
  thaw(): void
  status(): { state: ProcessState; pid: number | undefined; restarts: number }
}

type Run = { readyForMs: number; fault: Error }

/** Keeps one process alive: starts it, restarts it with back-off when it ends, stops it in bounds. */
export function createKeptProcess(options: KeptProcessOptions): KeptProcess {
  const { name, backoff } = options
  let state: ProcessState = 'stopped'
  let child: ChildProcess | undefined
  let restarts = 0
  let isStopHurried = false
  let frozen: readonly MarkedProcess[] = []
  let kept: { stopped: AbortController; ready: Promise<void>; ended: Promise<void> } | undefined

  function change(next: ProcessState, reason?: string): void {
    state = next
    options.onChange(reason === undefined ? { state } : { state, reason })
  }

  function release(): void {
    thawAll(frozen)
    frozen = []
  }

  async function runOnce(stopped: AbortSignal, onReady: () => void): Promise<Run> {
    change('starting')
    let current: ChildProcess
    try {
      current = await options.launch()
    } catch (error) {
      return { readyForMs: 0, fault: error instanceof Error ? error : new Error(String(error)) }
    }
    child = current
    const exited = whenExited(current)
    const over = new AbortController()
    const readyTimer = setTimeout(() => killGroup(current), options.readyTimeoutMs)
    let killTimer: NodeJS.Timeout | undefined
    let readyAtMs: number | undefined
    const askToStop = () => {
      // What stands still cannot end.
      release()
      change('stopping')
      killTimer = setTimeout(() => killGroup(current), options.stopTimeoutMs)
      // One that still starts may not listen to what only the ready are told.
      options.askToStop(current, isStopHurried && readyAtMs !== undefined)
    }
    if (stopped.aborted) askToStop()
    else stopped.addEventListener('abort', askToStop, { once: true })

    const isReady = await Promise.race([
      options.untilReady(current, over.signal),
      exited.then(() => false),
    ])
    clearTimeout(readyTimer)
    if (isReady && !stopped.aborted) {
      readyAtMs = performance.now()
      change('ready')
      onReady()
    }
    const reason = await exited
    over.abort()
    release()
    clearTimeout(killTimer)
    stopped.removeEventListener('abort', askToStop)
    child = undefined
    return {
      readyForMs: readyAtMs === undefined ? 0 : performance.now() - readyAtMs,
      fault: new Error(`${name} ended: ${reason}`),
    }
  }

  async function keep(stopped: AbortSignal, first: PromiseWithResolvers<void>): Promise<void> {
    let crashes = 0
    let wasReady = false
    while (!stopped.aborted) {
      const { readyForMs, fault } = await runOnce(stopped, () => {
        wasReady = true
        first.resolve()
      })
      if (stopped.aborted) break
      crashes = readyForMs >= backoff.stableMs ? 1 : crashes + 1
      if (!wasReady && (fault instanceof AppError || crashes >= options.giveUpAfter)) {
        kept = undefined
        change('stopped', fault.message)
        first.reject(fault)
        return
      }
      restarts += 1
      change('waiting', fault.message)
      await pause(Math.min(backoff.maxMs, backoff.firstMs * 2 ** (crashes - 1)), stopped)
    }
    kept = undefined
    change('stopped')
    first.reject(new Error(`${name} was stopped before it was ready.`))
  }

  function start(): Promise<void> {
    if (kept) return kept.ready
    const stopped = new AbortController()
    const first = Promise.withResolvers<void>()
    const current = { stopped, ready: first.promise, ended: Promise.resolve() }
    kept = current
    current.ended = keep(stopped.signal, first)
    return first.promise
  }

  return {
    name,
    start,
    async stop({ isHurried } = { isHurried: false }) {
      const current = kept
      isStopHurried = isHurried
      current?.stopped.abort()
      await current?.ended
    },
    kill() {
      kept?.stopped.abort()
      if (child) killGroup(child)
      release()
    },
    freeze(pid = child?.pid) {
      if (state === 'frozen') return
      if (state !== 'ready' || pid === undefined) {
        const message = `${name} is ${state}; only what is ready can be frozen.`
        throw new AppError('conflict', 'NOT_READY', message)
      }
      frozen = freezeTree(pid)
      change('frozen')
    },
    thaw() {
      if (state !== 'frozen') return
      release()
      change('ready')
    },
    status: () => ({ state, pid: child?.pid, restarts }),
  }
}

const notedMs = 5

/** Resolves when the keeper has heard of an end: a moment later than the process is gone. */
export async function untilNoted(
  kept: KeptProcess,
  before: ReturnType<KeptProcess['status']>,
  limitMs: number,
): Promise<void> {
  const endsAtMs = performance.now() + limitMs
  const isNoted = () => {
    const { state, restarts } = kept.status()
    return state !== before.state || restarts !== before.restarts
  }
  while (!isNoted() && performance.now() < endsAtMs) await delay(notedMs)
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  process.kill(-child.pid, 'SIGKILL')
}

function whenExited(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`))
  })
}

function pause(ms: number, stopped: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms)
    function done(): void {
      clearTimeout(timer)
      stopped.removeEventListener('abort', done)
      resolve()
    }
    stopped.addEventListener('abort', done, { once: true })
  })
}
