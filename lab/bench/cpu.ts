import { readdirSync, readFileSync } from 'node:fs'
import { errorCode } from '../../stack/src/files.ts'
import type { ProcessEntry } from '../../stack/src/supervisor.ts'

/** What has to be known of a process to read its processor time. */
export type Measurable = Pick<ProcessEntry, 'part' | 'pid' | 'ports'>

/** Seconds of processor time by part, since each of its processes began. */
export type CpuReading = ReadonlyMap<string, number>

// The unit of /proc/PID/stat: the kernel's USER_HZ, which is 100 on every Linux that Node runs on.
const ticksPerSecond = 100

/** Reads every part: services by their /metrics, PostgreSQL and the card sandbox by /proc. */
export async function readCpu(processes: readonly Measurable[]): Promise<CpuReading> {
  const seconds = await Promise.all(
    processes.map(async (entry) => ({ part: entry.part, seconds: await secondsOf(entry) })),
  )
  const byPart = Map.groupBy(seconds, ({ part }) => part)
  const { user, system } = process.cpuUsage()
  return new Map([
    ...[...byPart].map(([part, all]): [string, number] => [
      part,
      all.reduce((sum, each) => sum + each.seconds, 0),
    ]),
    ['client', (user + system) / 1e6],
  ])
}

/** Milliseconds of processor time per request, by part, between two readings. */
export function cpuPerRequest(
  before: CpuReading,
  after: CpuReading,
  requests: number,
): Record<string, number> {
  return Object.fromEntries(
    [...after].map(([part, seconds]) => [
      part,
      ((seconds - (before.get(part) ?? 0)) * 1_000) / Math.max(1, requests),
    ]),
  )
}

async function secondsOf({ ports, pid }: Measurable): Promise<number> {
  if (ports.metrics !== undefined) return scrape(ports.metrics)
  return pid === undefined || process.platform !== 'linux' ? Number.NaN : secondsOfTree(pid)
}

async function scrape(port: number): Promise<number> {
  const signal = AbortSignal.timeout(5_000)
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`, { signal })
  const text = await answer.text()
  const value = /^process_cpu_seconds_total(?:\{[^}]*\})? (\S+)/m.exec(text)?.[1]
  if (value === undefined) throw new Error(`Port ${port} does not tell its processor time.`)
  return Number(value)
}

type Stat = { parent: number; ticks: number; childTicks: number }

/** The process, its living descendants, and its children that have ended. */
function secondsOfTree(root: number): number {
  const stats = new Map<number, Stat>()
  for (const name of readdirSync('/proc')) {
    const stat = /^\d+$/.test(name) ? readStat(name) : undefined
    if (stat) stats.set(Number(name), stat)
  }
  const isInTree = (pid: number): boolean => {
    const stat = stats.get(pid)
    return stat !== undefined && (pid === root || isInTree(stat.parent))
  }
  const own = [...stats].filter(([pid]) => isInTree(pid))
  const ticks = own.reduce((sum, [, stat]) => sum + stat.ticks, 0)
  return (ticks + (stats.get(root)?.childTicks ?? 0)) / ticksPerSecond
}

function readStat(pid: string): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The command stands in parentheses and may itself hold some.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    const [parent, user, system, childUser, childSystem] = [1, 11, 12, 13, 14].map((index) =>
      Number(fields[index]),
    ) as [number, number, number, number, number]
    return { parent, ticks: user + system, childTicks: childUser + childSystem }
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ESRCH') return undefined
    throw error
  }
}
