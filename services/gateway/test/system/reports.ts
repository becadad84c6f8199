import type { VitalsReport } from '@halles/kit/vitals'

/** What an instance may say, `seconds` after its start. */
export function aReport(
  instance: string,
  seconds: number,
  changed: Partial<VitalsReport> = {},
): VitalsReport {
  return {
    service: instance.replace(/-\d+$/, ''),
    ...{ instance, pid: 7, isReady: true, startedAt: '2026-01-01T00:00:00.000Z' },
    ...{ uptimeSeconds: seconds, cpuSeconds: seconds / 10, memoryBytes: 1_000 },
    eventLoopDelayMs: 1.234,
    requests: { count: 0, failures: 0, durations: [], routes: [] },
    ...{ upstreams: [], sent: [], handled: [], databases: [], figures: {}, problems: [] },
    ...changed,
  }
}
