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

export type Judgement = { aim: string; value: number; isMet: boolean }

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

/**
 * The aims, where both sides were measured. They compare the calmest rounds: whatever else runs on
 * the machine only ever makes a request dearer, and the more so the more processes it goes through.
 */
export function judge({ results }: EdgeReport): Judgement[] {
  const of = (name: WayName) => results.find((result) => result.name === name)?.best
  const [cached, uncached] = [of('gateway-cached'), of('gateway-uncached')]
  const [constant, haproxy, direct] = [of('constant'), of('haproxy'), of('direct')]
  const judgements: Judgement[] = []
  const atMost = (aim: string, value: number, limit: number) =>
    judgements.push({ aim: `${aim}, at most ${limit} ×`, value, isMet: value <= limit })
  if (cached && constant) {
    atMost('CPU of a cached answer : constant answer', cached.cpuMicros / constant.cpuMicros, 1.3)
  }
  if (uncached && haproxy) {
    atMost('CPU of an uncached pass : HAProxy', uncached.cpuMicros / haproxy.cpuMicros, 4)
  }
  if (uncached && direct) {
    const value = uncached.perSecond / direct.perSecond
    judgements.push({
      aim: 'rate of an uncached pass : direct, at least 0.33 ×',
      value,
      isMet: value >= 1 / 3,
    })
  }
  return judgements
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
  const judgements = judge(report).map(({ aim, value, isMet }) => [
    aim,
    `${number(value, 2)} ×`,
    isMet ? 'met' : 'missed',
  ])
  return [
    `${cores} × ${model}, Node ${node}, ${report.rounds} × ${report.seconds} s each; the client shares the cores. Medians, and the best round:`,
    table(
      ['way', 'per second', 'p50 ms', 'p99 ms', 'CPU µs', 'best rate', 'least CPU µs', 'failures'],
      rows,
    ),
    table(['aim, of the best rounds', 'measured', ''], judgements),
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
