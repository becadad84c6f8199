import { readFileSync } from 'node:fs'
import { parse } from 'yaml'

/** The dashboards, in the order in which people look at them. */
export const boards = ['overview', 'messages', 'money', 'edge'] as const
export type Board = (typeof boards)[number]

/** A measurement, as `contracts/telemetry.yaml` registers it. */
export type Metric = {
  name: string
  type: 'counter' | 'gauge' | 'histogram'
  unit?: 'seconds' | 'bytes'
  labels: readonly string[]
  services: readonly string[]
  needs?: 'otlp' | 'redis'
  board: Board
  meaning: string
}

/** Who tells measurements. */
export const services = [
  ...['gateway', 'auth', 'rbac', 'customers', 'products'],
  ...['wishlists', 'carts', 'orders', 'payments', 'web'],
] as const

type Entry = Omit<Metric, 'name' | 'labels' | 'services'> & {
  labels?: readonly string[]
  services: 'all' | 'others' | readonly string[]
}
type Document = { defaults: readonly string[]; metrics: Record<string, Entry> }

const file = new URL('../../contracts/telemetry.yaml', import.meta.url)
const { defaults, metrics } = parse(readFileSync(file, 'utf8')) as Document

/** How the names begin that every process has from prom-client. */
export const defaultPrefixes = defaults

export const register: readonly Metric[] = Object.entries(metrics).map(([name, entry]) => ({
  ...entry,
  name,
  labels: entry.labels ?? [],
  services: toServices(entry.services),
}))

function toServices(told: Entry['services']): readonly string[] {
  if (told === 'all') return services
  if (told === 'others') return services.filter((each) => each !== 'web')
  return told
}

const ends = /_(bucket|sum|count)$/
const names = new Set(register.map(({ name }) => name))
const words =
  /\b(?:http|grpc|upstream|telemetry|outbox|inbox|message|messages|orders|payments|stock|cart|gateway|hashing|web|process|nodejs)_[a-z0-9_]+\b/g

/** The measurements that a query, or a text, names; without the ends of histograms. */
export function metricsIn(text: string): string[] {
  return [...new Set(text.match(words) ?? [])].map((word) => {
    const base = word.replace(ends, '')
    return names.has(base) ? base : word
  })
}

/** Whether every process has it, or the register names it. */
export function isRegistered(name: string): boolean {
  return names.has(name) || defaultPrefixes.some((prefix) => name.startsWith(prefix))
}
