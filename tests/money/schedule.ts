import { AsyncLocalStorage } from 'node:async_hooks'
import { AppError } from '@halles/kit/errors'

export type ServiceName = 'orders' | 'payments' | 'products'

/**
 * What goes wrong at one step: the process that takes it dies before or after it, or the step fails
 * without or with its effect.
 */
export const faultKinds = ['kill-before', 'kill-after', 'error-before', 'error-after'] as const
export type Fault = { at: number; kind: (typeof faultKinds)[number] }

type Frame = { service: ServiceName; end: (error: AppError) => void }
type Step = {
  frame: Frame | undefined
  label: string
  work: () => Promise<unknown>
  /** A call of another service: its own steps are taken later, so nobody waits for it here. */
  isCall: boolean
  resolve: (value: never) => void
  reject: (error: unknown) => void
}

// More than any history takes; a loop that never ends is told from a long one.
const maxSteps = 5_000

// A look into a database takes a millisecond, on the busiest machine some seconds.
const stuckMs = 15_000

export type Schedule = ReturnType<typeof createSchedule>

/**
 * Runs pieces of work one step at a time. A step is one call of a port; which piece takes the next
 * one is chosen by dice, so that the same dice give the same run. A piece whose process dies is never
 * continued: no `catch` and no `finally` of it runs.
 */
export function createSchedule() {
  const frames = new AsyncLocalStorage<Frame>()
  const live = new Set<Frame>()
  let waiting: Step[] = []
  let trace: string[] = []
  let arrived: () => void = () => undefined
  const bugs: unknown[] = []

  function step<T>(label: string, work: () => Promise<T>, isCall = false): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      waiting.push({ frame: frames.getStore(), label, work, isCall, resolve, reject })
      arrived()
    })
  }

  /** Begins work in a service; rejects when its process dies. */
  function enter<T>(service: ServiceName, work: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const frame: Frame = { service, end: reject }
      live.add(frame)
      frames
        .run(frame, work)
        .then(resolve, (error: unknown) => reject(toWireError(error)))
        .finally(() => live.delete(frame))
    })
  }

  function toWireError(error: unknown): AppError {
    if (error instanceof AppError) return error
    bugs.push(error)
    return new AppError('internal', 'INTERNAL', 'Something went wrong on our side.')
  }

  function kill(service: ServiceName): void {
    trace.push(`   † ${service}`)
    for (const frame of live) {
      if (frame.service !== service) continue
      live.delete(frame)
      waiting = waiting.filter((each) => each.frame !== frame)
      frame.end(new AppError('unavailable', 'UNREACHABLE', `${service} was killed.`))
    }
  }

  async function take(current: Step, fault: Fault['kind'] | undefined): Promise<void> {
    const { frame, label, work, isCall, resolve, reject } = current
    trace.push(`${frame?.service ?? 'outside'}: ${label}${fault ? ` (${fault})` : ''}`)
    const dies = fault?.startsWith('kill') ?? false
    if (fault === 'error-before') return reject(lost())
    if (frame && fault === 'kill-before') return kill(frame.service)
    const settled = work()
    if (isCall && !fault) {
      settled.then(resolve as (value: unknown) => void, reject)
      return
    }
    try {
      const result = isCall ? undefined : await settled
      if (isCall) settled.catch(() => undefined)
      if (frame && dies) kill(frame.service)
      else if (fault === 'error-after') reject(lost())
      else resolve(result as never)
    } catch (error) {
      if (frame && dies) kill(frame.service)
      else reject(error)
    }
  }

  /** Waits for what is not a step, such as a look into a database. */
  function nextStep(results: Promise<unknown>): Promise<unknown> {
    const step = new Promise<void>((resolve) => {
      arrived = resolve
    })
    let timer: NodeJS.Timeout | undefined
    const limit = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, stuckMs)
    })
    return Promise.race([results, step, limit]).finally(() => clearTimeout(timer))
  }

  /** Runs everything to its end; answers how each piece of work ended. */
  async function run<T>(
    works: readonly (() => Promise<T>)[],
    { choose, fault }: { choose: (count: number) => number; fault: Fault | null },
  ): Promise<PromiseSettledResult<T>[]> {
    let isOver = false
    const results = Promise.allSettled(works.map((work) => work()))
    void results.then(() => {
      isOver = true
    })
    for (let count = 0; count < maxSteps; count += 1) {
      // By then everything that follows from the last step waits at its next one.
      await new Promise((resolve) => setImmediate(resolve))
      if (isOver && waiting.length === 0) return results
      if (waiting.length === 0) {
        await nextStep(results)
        if (isOver && waiting.length === 0) return results
        if (waiting.length === 0) break
      }
      const index = waiting.length === 1 ? 0 : choose(waiting.length)
      const [next] = waiting.splice(index, 1)
      if (next) await take(next, faultOf(next, fault?.at === count ? fault.kind : undefined))
    }
    throw new Error(`It came to no end:\n${trace.slice(-40).join('\n')}`)
  }

  return {
    step,
    enter,
    /** Asks a service from within another one. */
    call: <T>(service: ServiceName, label: string, work: () => Promise<T>) =>
      step(`${service}.${label}`, () => enter(service, work), true),
    run,
    /** The same port, each call of which is a step. */
    gate<P extends object>(name: string, port: P): P {
      const gated = Object.entries(port).map(([method, call]) => [
        method,
        typeof call === 'function'
          ? (...values: unknown[]) =>
              step(`${name}.${method}`, async () =>
                (call as (...v: unknown[]) => unknown)(...values),
              )
          : call,
      ])
      return Object.fromEntries(gated) as P
    },
    note: (line: string) => void trace.push(line),
    takeTrace(): string[] {
      const taken = trace
      trace = []
      return taken
    },
    takeBugs: () => bugs.splice(0),
    /** Forgets what a failed run left behind. */
    clear() {
      waiting = []
      live.clear()
      bugs.length = 0
      trace = []
    },
  }
}

/** What is outside of the services is not killed; its calls may get lost all the same. */
function faultOf(
  { frame, isCall }: Step,
  kind: Fault['kind'] | undefined,
): Fault['kind'] | undefined {
  if (frame) return kind
  return isCall && !kind?.startsWith('kill') ? kind : undefined
}

function lost(): AppError {
  return new AppError('unavailable', 'CONNECTION_LOST', 'The connection was lost.')
}

/** Mulberry32. */
export function createDice(seed: number): (count: number) => number {
  let state = seed >>> 0
  return (count) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * count)
  }
}
