import { handlingMetric } from './messaging/meter.ts'
import type { Metrics } from './metrics.ts'
import { sentMetric } from './relay.ts'
import type { VitalsReport } from './vitals.ts'
import { valuesOf } from './vitals-requests.ts'

/** Messages that the relay published, by address. */
export async function readSent(metrics: Metrics): Promise<VitalsReport['sent']> {
  const values = await valuesOf(metrics, sentMetric)
  return values.map(({ value, labels: { kind, name } }) => ({
    kind: kind === 'queue' ? 'queue' : 'topic',
    name: String(name),
    count: value,
  }))
}

/** Tries at messages, by where these came from. */
export async function readHandled(metrics: Metrics): Promise<VitalsReport['handled']> {
  const sources = new Map<string, { source: string; done: number; failed: number }>()
  for (const { value, labels, metricName } of await valuesOf(metrics, handlingMetric)) {
    if (!metricName?.endsWith('_count')) continue
    const source = String(labels.source)
    const entry = sources.get(source) ?? { source, done: 0, failed: 0 }
    sources.set(source, entry)
    entry[labels.outcome === 'done' ? 'done' : 'failed'] += value
  }
  return [...sources.values()]
}
