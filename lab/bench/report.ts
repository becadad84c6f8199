import { cpus } from 'node:os'
import type { Measured } from './load.ts'
import type { Scenario } from './scenarios.ts'
import type { Yardsticks } from './yardsticks.ts'

export type Result = Measured & {
  name: string
  title: string
  /** Requests a second that were aimed at. */
  aim: number | null
  /** Of the aim; 1 is met. */
  ofAim: number | null
  cpuMsPerRequest: Record<string, number>
  lastFailure?: string
}

export type Report = {
  at: string
  machine: { cores: number; model: string; node: string }
  /** Each journey runs for so long before it is measured. */
  warmUpSeconds: number
  seconds: number
  yardsticks: Yardsticks
  results: Result[]
}

export function toResult(
  { name, title, aim }: Scenario,
  measured: Measured & { lastFailure?: string },
  { cpu, yardsticks }: { cpu: Record<string, number>; yardsticks: Yardsticks },
): Result {
  const target =
    aim === undefined
      ? null
      : 'perSecond' in aim
        ? aim.perSecond
        : aim.shareOfHash * yardsticks.hash.perSecond
  const ofAim = target === null ? null : measured.perSecond / target
  return { ...measured, name, title, aim: target, ofAim, cpuMsPerRequest: cpu }
}

export function machine(): Report['machine'] {
  const all = cpus()
  return { cores: all.length, model: all[0]?.model ?? 'unknown', node: process.version }
}

/** A figure as people read it. */
export const number = (value: number, digits = 0) =>
  Number.isFinite(value)
    ? value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })
    : '–'

/** The whole report as text: yardsticks, journeys, processor time by part. */
export function toText({
  machine: { cores, model, node },
  seconds,
  warmUpSeconds,
  ...report
}: Report): string {
  const { yardsticks, results } = report
  const measured = (title: string, each: Measured) => [
    title,
    number(each.perSecond),
    number(each.p50, 1),
    number(each.p99, 1),
  ]
  const yardstickRows = [
    measured('constant 2 KB answer, same HTTP server', yardsticks.constant),
    measured('select by primary key, same database', yardsticks.select),
    measured('argon2id hash', yardsticks.hash),
  ]
  const resultRows = results.map((each) => [
    ...measured(each.title, each),
    each.aim === null ? '' : number(each.aim),
    each.ofAim === null ? '' : `${number(each.ofAim, 2)} ×`,
    each.fromCache === undefined ? '' : `${number(each.fromCache * 100)} %`,
    number(each.failures),
  ])
  const parts = [...new Set(results.flatMap((each) => Object.keys(each.cpuMsPerRequest)))]
  const cpuRows = parts.map((part) => [
    part,
    ...results.map((each) => number(each.cpuMsPerRequest[part] ?? 0, 3)),
  ])
  const total = (each: Result) =>
    Object.entries(each.cpuMsPerRequest)
      .filter(([part, ms]) => part !== 'client' && Number.isFinite(ms))
      .reduce((sum, [, ms]) => sum + ms, 0)
  const totals = ['all but the client', ...results.map((each) => number(total(each), 3))]
  return [
    `${cores} × ${model}, Node ${node}, ${seconds} s each after ${warmUpSeconds} s of warm-up; clients, services and database share the cores.`,
    table(['yardstick', 'per second', 'p50 ms', 'p99 ms'], yardstickRows),
    table(
      ['journey', 'per second', 'p50 ms', 'p99 ms', 'aim', 'of aim', 'cached', 'failures'],
      resultRows,
    ),
    'Processor milliseconds per request',
    table(['part', ...results.map(({ name }) => name)], [...cpuRows, totals]),
    ...results.flatMap(({ name, lastFailure }) =>
      lastFailure === undefined ? [] : [`${name}: ${lastFailure}`],
    ),
  ].join('\n\n')
}

/** Rows under a head, the first column to the left. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((name, column) =>
    Math.max(name.length, ...rows.map((row) => (row[column] ?? '').length)),
  )
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => {
        const width = widths[column] ?? 0
        return column === 0 ? cell.padEnd(width) : cell.padStart(width)
      })
      .join('  ')
      .trimEnd()
  return [line(head), widths.map((width) => '─'.repeat(width)).join('  '), ...rows.map(line)].join(
    '\n',
  )
}
