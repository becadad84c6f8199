import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { errorCode, readText } from './files.ts'

/** Whether a process with this id exists, ours or not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    return errorCode(error) === 'EPERM'
  }
  // A zombie still has its id, but nothing runs any more, unless other threads of it are ending: what
  // the process has open is open until the last one is gone. Field 20 counts them.
  const stat = processStat(pid)
  return stat?.[0] !== 'Z' || Number(stat[17]) > 1
}

/** The fields of /proc/PID/stat after the command: state, parent's id … ; undefined off Linux. */
function processStat(pid: number): string[] | undefined {
  const stat = readProc(`/proc/${pid}/stat`)
  // The command stands in parentheses and may itself hold some.
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')
}

function readProc(path: string): string | undefined {
  try {
    return readText(path)
  } catch (error) {
    // A process that ends while it is read answers ESRCH.
    if (errorCode(error) === 'ESRCH') return undefined
    throw error
  }
}

/** When the process started, in a form to compare with itself; tells a reused id apart. */
export function startMark(pid: number): string {
  // Field 22 of stat counts from 1 and includes pid and command, which are cut off here.
  return processStat(pid)?.[19] ?? ''
}

/** The id of a process' parent, where the system tells. */
export function parentOf(pid: number): number | undefined {
  const parent = Number(processStat(pid)?.[1])
  return Number.isInteger(parent) && parent > 0 ? parent : undefined
}

/** The command line of a living process, or an empty text. */
export function commandOf(pid: number): string {
  if (!isAlive(pid)) return ''
  const raw = readProc(`/proc/${pid}/cmdline`)
  if (raw !== undefined) return raw.replaceAll('\0', ' ')
  try {
    return execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' })
  } catch (error) {
    if (isAlive(pid)) throw error
    return ''
  }
}

/** Sends the signal, unless the process is gone already. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if (errorCode(error) !== 'ESRCH') throw error
  }
}

/** Waits until the process is gone; false when it still runs after `limitMs`. */
export async function untilGone(pid: number, limitMs: number): Promise<boolean> {
  const endsAtMs = performance.now() + limitMs
  while (isAlive(pid)) {
    if (performance.now() > endsAtMs) return false
    await delay(20)
  }
  return true
}

/** A process and when it started, so that another one that got its id later is left alone. */
export type MarkedProcess = { pid: number; startMark: string }

/**
 * Lets a process and all below it stand still, in whatever groups and sessions they are (each
 * backend of PostgreSQL has its own), and returns them.
 */
export function freezeTree(pid: number): MarkedProcess[] {
  const still = new Map<number, string>()
  // Parents first, so that they start nobody more; then again until nobody new is found.
  for (let found = [pid]; found.length > 0; ) {
    for (const each of found) {
      still.set(each, startMark(each))
      signalProcess(each, 'SIGSTOP')
    }
    found = descendantsOf(pid).filter((each) => !still.has(each))
  }
  return [...still].map(([each, mark]) => ({ pid: each, startMark: mark }))
}

/** Lets processes go on that were frozen; those that are gone do not matter. */
export function thawAll(processes: readonly MarkedProcess[]): void {
  for (const { pid, startMark: mark } of processes) {
    if (startMark(pid) === mark) signalProcess(pid, 'SIGCONT')
  }
}

/** A process and all below it, as {@link thawAll} takes them. */
export function treeOf(pid: number): MarkedProcess[] {
  return [pid, ...descendantsOf(pid)].map((each) => ({ pid: each, startMark: startMark(each) }))
}

function descendantsOf(pid: number): number[] {
  const children = Map.groupBy(parents(), ([, parent]) => parent)
  const found: number[] = []
  for (const [child] of children.get(pid) ?? []) found.push(child)
  for (const each of found) {
    for (const [child] of children.get(each) ?? []) found.push(child)
  }
  return found
}

/** The id of every process with that of its parent. */
function parents(): [child: number, parent: number][] {
  if (process.platform !== 'linux') {
    const text = execFileSync('ps', ['-axo', 'pid=,ppid='], { encoding: 'utf8' })
    return text
      .trim()
      .split('\n')
      .map((line) => {
        const [child = '', parent = ''] = line.trim().split(/\s+/)
        return [Number(child), Number(parent)]
      })
  }
  return readdirSync('/proc').flatMap((name): [number, number][] => {
    const parent = /^\d+$/.test(name) ? parentOf(Number(name)) : undefined
    return parent === undefined ? [] : [[Number(name), parent]]
  })
}
