import { number, table } from '../report.ts'
import type { Kind } from './platform.ts'
import type { FanOut, Propagation } from './propagation.ts'
import type { Throughput } from './throughput.ts'
import type { Yardstick } from './yardsticks.ts'

export type MessagesResult = {
  kind: Kind
  idle: Propagation[]
  steady: Propagation[]
  perSecond: number
  throughput: { measured: Throughput; yardstick: Yardstick }[]
  fanOut: FanOut[]
}

/** The share of the bare client's rate that the relay has to reach. */
export const aimedShare = 0.5
/** How long a change may take to its effect on an idle platform, 99 times of 100. */
export const aimedMs = 150

const nameOf: Record<Kind, (what: string) => string> = {
  embedded: () => 'embedded',
  brokers: (what) => (/password|command/.test(what) ? 'RabbitMQ' : 'Kafka'),
}

const sum = (cpuMs: Record<string, number>) =>
  Object.entries(cpuMs)
    .filter(([part, ms]) => part !== 'client' && Number.isFinite(ms))
    .reduce((total, [, ms]) => total + ms, 0)

const largest = (cpuMs: Record<string, number>) =>
  Object.entries(cpuMs)
    .filter(([part, ms]) => part !== 'client' && Number.isFinite(ms))
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, 4)
    .map(([part, ms]) => `${part} ${number(ms, 3)}`)
    .join(', ')

/** All results as text. */
export function toMessagesText(results: readonly MessagesResult[]): string {
  const propagation = results.flatMap(({ kind, idle, steady, perSecond }) => {
    const row = (when: string) => (each: Propagation) => [
      `${nameOf[kind](each.what)}: ${each.what}`,
      when,
      number(each.changes),
      number(each.p50, 1),
      number(each.p99, 1),
    ]
    return [...idle.map(row('idle')), ...steady.map(row(`${perSecond} a second`))]
  })
  const throughput = results.flatMap(({ kind, throughput: all }) =>
    all.map(({ measured, yardstick }) => [
      `${nameOf[kind](measured.what)}: ${measured.what}`,
      number(measured.publishedPerSecond),
      number(measured.appliedPerSecond),
      number(sum(measured.cpuMs), 3),
      `${yardstick.what} ${number(yardstick.perSecond)}`,
      `${number(measured.publishedPerSecond / yardstick.perSecond, 2)} ×`,
    ]),
  )
  const fanOut = results.flatMap(({ kind, fanOut: all }) =>
    all.map((each) => [
      `${nameOf[kind](each.what)}: ${each.what}`,
      number(each.holders),
      number(each.p50, 1),
      number(each.p99, 1),
      number(sum(each.cpuMs), 2),
      largest(each.cpuMs),
    ]),
  )
  return [
    'From the accepted change to its effect (aim: p99 under 150 ms idle)',
    table(['way', 'while', 'changes', 'p50 ms', 'p99 ms'], propagation),
    'Sustained, from a full outbox (aim: half of what the bare client gets confirmed)',
    table(['way', 'published/s', 'applied/s', 'CPU ms each', 'yardstick/s', 'of it'], throughput),
    'One price change, by the carts that hold the product',
    table(['way', 'carts', 'p50 ms', 'p99 ms', 'CPU ms each', 'most of it'], fanOut),
  ].join('\n\n')
}
