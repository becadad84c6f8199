import { commandOf, isAlive, parentOf } from './processes.ts'

/**
 * Calls back when the npm that started us is gone: killed with -9 it cannot tell us, and we would
 * go on without anybody who can stop us.
 */
export function watchNpm(onGone: () => void): void {
  if (process.env.npm_lifecycle_event === undefined) return
  // Between npm and us there is a shell, unless it replaced itself by us.
  const npm = [process.ppid, parentOf(process.ppid)].find(
    (pid) => pid !== undefined && /^npm\b/.test(commandOf(pid)),
  )
  if (npm === undefined) return
  const timer = setInterval(() => {
    if (isAlive(npm)) return
    clearInterval(timer)
    onGone()
  }, 1_000)
  timer.unref()
}
