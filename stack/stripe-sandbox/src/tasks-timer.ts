import { type Task, taskKinds } from './domain/decision.ts'
import type { Deps } from './use-cases/deps.ts'
import { listTasks, nextTaskAt, runTask } from './use-cases/tasks.ts'

// One turn of the event loop runs at most this many, so that requests come through in between.
const batch = 100
// Looked at this often at the least; a timer holds no more than 31 bits of milliseconds either.
const maxSleepMs = 60_000

/** Does what banks and card networks do, when it is due. */
export function createTaskTimer(deps: () => Deps, clock: () => number) {
  let timer: NodeJS.Timeout | null = null
  let isStopped = false

  /** Sets the alarm anew after something was planned. */
  function wake(): void {
    if (isStopped) return
    if (timer !== null) clearTimeout(timer)
    const next = nextTaskAt(deps())
    timer = null
    if (next === null) return
    timer = setTimeout(runDue, Math.min(Math.max(1, next - clock()), maxSleepMs))
  }

  function runDue(): void {
    run(clock(), taskKinds)
    wake()
  }

  function run(dueBefore: number, kinds: readonly Task['kind'][]): number {
    const tasks = listTasks(deps(), { dueBefore, kinds, limit: batch })
    for (const task of tasks) runTask(deps(), task)
    return tasks.length
  }

  return {
    wake,
    /** Does now what would be due some day, up to a batch, and says how much that was. */
    runNow(kinds: readonly Task['kind'][]): number {
      const count = run(Number.MAX_SAFE_INTEGER, kinds)
      wake()
      return count
    },
    stop(): void {
      isStopped = true
      if (timer !== null) clearTimeout(timer)
    },
  }
}
