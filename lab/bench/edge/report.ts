import type { Measured } from '../load.ts'
import { type machine, number, table } from '../report.ts'
import type { FaultReport } from './faults.ts'
import type { WayName } from './ways.ts'

export type EdgeResult = Measured & {
  name: WayName
  title: string
  /** Processor time of the tested process, in microseconds per request. */
  cpuMicros: number
  /** The rate and the processor time of the calmest round. */
  best: { perSecond: number; cpuMicros: number }
}

export type EdgeReport = {
  at: string
  machine: ReturnType<typeof machine>
  seconds: number
  rounds: number
  /** Programs that are not installed. */
  missing: readonly string[]
  results: EdgeResult[]
}

/** `value` compares medians and decides; `atBest` compares the best rounds. */
export type Judgement = { aim: string; value: number; atBest: number; isMet: boolean }

const median = (values: readonly number[]) =>
  [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? Number.NaN

/** The middle of the rounds, figure by figure, and the best of them. */
export function medianOf(rounds: readonly EdgeResult[]): EdgeResult {
  const [first] = rounds
  if (!first) throw new Error('There is no round.')
  const middle = (figure: 'perSecond' | 'p50' | 'p99' | 'cpuMicros') =>
    median(rounds.map((round) => round[figure]))
  return {
    ...first,
    requests: rounds.reduce((sum, { requests }) => sum + requests, 0),
    failures: rounds.reduce((sum, { failures }) => sum + failures, 0),
    perSecond: middle('perSecond'),
    p50: middle('p50'),
    p99: middle('p99'),
    cpuMicros: middle('cpuMicros'),
    best: {
      perSecond: Math.max(...rounds.map(({ perSecond }) => perSecond)),
      cpuMicros: Math.min(...rounds.map(({ cpuMicros }) => cpuMicros)),
    },
  }
}

type Figures = EdgeResult['best']

const aims: {
  aim: string
  of: WayName
  to: WayName
  ratio(ours: Figures, theirs: Figures): number
  isMet(value: number): boolean
}[] = [
  {
    aim: 'CPU of a cached answer : constant answer, at most 1.3 ×',
    ...{ of: 'gateway-cached', to: 'constant' },
    ratio: (ours, theirs) => ours.cpuMicros / theirs.cpuMicros,
    isMet: (value) => value <= 1.3,
  },
  {
    aim: 'CPU of an uncached pass : HAProxy, at most 4 ×',
    ...{ of: 'gateway-uncached', to: 'haproxy' },
    ratio: (ours, theirs) => ours.cpuMicros / theirs.cpuMicros,
    isMet: (value) => value <= 4,
  },
  {
    aim: 'rate of an uncached pass : direct, at least 0.33 ×',
    ...{ of: 'gateway-uncached', to: 'direct' },
    ratio: (ours, theirs) => ours.perSecond / theirs.perSecond,
    isMet: (value) => value >= 1 / 3,
  },
]

/** The aims, by the medians, where both sides were measured. */
export function judge({ results }: EdgeReport): Judgement[] {
  return aims.flatMap(({ aim, of, to, ratio, isMet }) => {
    const ours = results.find(({ name }) => name === of)
    const theirs = results.find(({ name }) => name === to)
    if (!ours || !theirs) return []
    const value = ratio(ours, theirs)
    return [{ aim, value, atBest: ratio(ours.best, theirs.best), isMet: isMet(value) }]
  })
}

export function toEdgeText(report: EdgeReport): string {
  const { cores, model, node } = report.machine
  const rows = report.results.map((each) => [
    each.title,
    number(each.perSecond),
    number(each.p50, 2),
    number(each.p99, 2),
    number(each.cpuMicros, 1),
    number(each.best.perSecond),
    number(each.best.cpuMicros, 1),
    number(each.failures),
  ])
  const judgements = judge(report).map(({ aim, value, atBest, isMet }) => [
    aim,
    `${number(value, 2)} ×`,
    `${number(atBest, 2)} ×`,
    isMet ? 'met' : 'missed',
  ])
  return [
    `${cores} × ${model}, Node ${node}, ${report.rounds} × ${report.seconds} s each; the client shares the cores. Medians, and the best round:`,
    table(
      ['way', 'per second', 'p50 ms', 'p99 ms', 'CPU µs', 'best rate', 'least CPU µs', 'failures'],
      rows,
    ),
    table(['aim, by medians', 'measured', 'best rounds', ''], judgements),
    ...(report.missing.length > 0 ? [`Not installed: ${report.missing.join(', ')}.`] : []),
  ].join('\n\n')
}

// A fault that hits everybody would fill the screen otherwise.
const shownFailures = 10

export function toFaultText({ edge, perSecond, results }: FaultReport): string {
  const rows = results.map(({ title, requests, failures, slowestMs, tookSeconds }) => [
    title,
    number(requests),
    number(failures.length),
    number(slowestMs),
    number(tookSeconds, 1),
  ])
  return [
    `Two gateways: ${edge}. ${perSecond} reads a second, half of them cached; nothing is asked twice.`,
    table(['fault', 'requests', 'failed', 'slowest ms', 'ready again s'], rows),
    ...results.flatMap(({ failures }) => failures.slice(0, shownFailures)),
  ].join('\n\n')
}
