import type { SystemInstance, SystemPicture } from '@halles/contracts/gen/http/gateway'
import type { VitalsReport } from '@halles/kit/vitals'
import { type Rates, toFigures, toRates } from './rates.ts'

export type InstanceState = SystemPicture['parts'][number]['instances'][number]['state']

/** An instance as callers find it. */
export type Sighting = { service: string; address: string; state: InstanceState }

/** What is kept of an instance. */
export type InstanceRecord = Sighting & {
  id: string
  /** The last one; it may be old. */
  report: VitalsReport | undefined
  /** Since the round before; undefined when the instance was silent in one of the two. */
  rates: Rates | undefined
  points: SystemInstance['points']
  seenAtMs: number
}

export type Records = {
  /** Takes what an instance said in a round, undefined when it said nothing. */
  take(sighting: Sighting, report: VitalsReport | undefined, atMs: number): void
  /** Those of the last round. */
  current(): readonly InstanceRecord[]
  find(id: string): InstanceRecord | undefined
  /** Ends a round: what was not seen in it is no longer current, and forgotten after five minutes. */
  endRound(atMs: number): void
}

// Five minutes of seconds: what an operator looks back at.
const keptPoints = 300
const keptMs = keptPoints * 1_000
// More than all instances that there may be, so that restarts under new names take no memory.
const maxRecords = 512

export function createRecords(): Records {
  const records = new Map<string, InstanceRecord>()
  const idAt = new Map<string, string>()
  let roundAtMs = 0

  function open(id: string, sighting: Sighting): InstanceRecord {
    const known = records.get(id)
    if (known) return Object.assign(known, sighting)
    const record: InstanceRecord = {
      ...sighting,
      ...{ id, report: undefined, rates: undefined, points: [], seenAtMs: 0 },
    }
    records.set(id, record)
    return record
  }

  return {
    take(sighting, report, atMs) {
      const { service, address } = sighting
      const place = `${service} ${address}`
      if (report) idAt.set(place, report.instance)
      const id = idAt.get(place) ?? address
      // Found at two addresses, as a gateway finds itself, it counts once.
      if (records.get(id)?.seenAtMs === atMs) return
      const record = open(id, sighting)
      const before = record.report
      record.seenAtMs = atMs
      record.rates =
        before && report && !isGap(before, report) ? toRates(before, report) : undefined
      if (!report) return
      record.report = report
      const figures = record.rates?.figures ?? toFigures(report)
      record.points.push({ at: new Date(atMs).toISOString(), figures })
      if (record.points.length > keptPoints) record.points.shift()
    },
    current: () => [...records.values()].filter(({ seenAtMs }) => seenAtMs === roundAtMs),
    find: (id) => records.get(id),
    endRound(atMs) {
      roundAtMs = atMs
      for (const [id, { seenAtMs }] of records) {
        const isOld = seenAtMs < atMs - keptMs
        const isTooMany = records.size > maxRecords && seenAtMs < atMs
        if (isOld || isTooMany) records.delete(id)
      }
      for (const [place, id] of idAt) if (!records.has(id)) idAt.delete(place)
    },
  }
}

// Rounds are a second apart, and some may be late. Over a longer gap rates would tell of the gap.
const gapSeconds = 5

function isGap(before: VitalsReport, now: VitalsReport): boolean {
  return now.uptimeSeconds - before.uptimeSeconds > gapSeconds
}
