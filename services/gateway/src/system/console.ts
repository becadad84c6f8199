import type { SystemInstance } from '@halles/contracts/gen/http/gateway'
import type { Runtime } from '@halles/kit/runtime'
import type { Audit } from '../audit.ts'
import type { CacheFigures } from '../cache-figures.ts'
import type { GatewayConfig } from '../config.ts'
import { createStackControl } from '../stack-control.ts'
import type { Upstream } from '../upstream.ts'
import { createPartActions } from './actions.ts'
import { createCollector } from './collector.ts'
import { createKnown, createPeers } from './known.ts'
import { createLatest } from './latest.ts'
import type { ConsoleDeps } from './operations.ts'
import { createVitalsReader, pointsPath } from './vitals-reader.ts'

// With what the probes may take, a round stays below its second.
const answerWaitMs = 800

/** Connects what the console's operations need, and adds it to the life-cycle. */
export function openConsole(
  runtime: Runtime,
  config: GatewayConfig,
  deps: {
    upstreams: ReadonlyMap<string, Upstream>
    cacheFigures: CacheFigures
    audit: Audit
    closing: AbortSignal
  },
): ConsoleDeps {
  const { logger, messaging, vitals, internalDocuments, lifecycle } = runtime
  const { instanceId: self, publicUrl: address } = config
  const { upstreams, audit, closing } = deps
  const clock = () => performance.now()
  const onFailure = (error: unknown) => {
    logger.debug({ error }, 'The broker or the stack did not tell how it is.')
  }
  const latest = { waitMs: answerWaitMs, clock, onFailure }
  const control =
    config.stackControl === undefined ? undefined : createStackControl(config.stackControl)
  const reader = createVitalsReader(config.internalSecret)
  const peers = createPeers(config.gatewayMetricsUrls, logger)
  const collector = createCollector({
    ...{ self, logger, closing, clock },
    known: createKnown({ self: { id: self, address }, vitals, peers, upstreams, reader }),
    messages: createLatest(messaging.stats, latest),
    processes: control && createLatest(() => control.ask({ command: 'status' }), latest),
  })
  vitals.addFigures('cache', () => {
    const { shared: _state, ...figures } = deps.cacheFigures()
    return figures
  })
  internalDocuments.set(pointsPath, async (query) => collector.points(query.get('id') ?? ''))
  lifecycle.add({ name: 'other gateways', start: peers.start, stop: peers.stop })
  lifecycle.add({ name: 'vitals', stop: reader.close })
  return {
    collector,
    actions: createPartActions({ control, audit, self, logger }),
    async otherGateways() {
      const told = await Promise.all(
        peers.current().map(async (peer) => ({ peer, report: await reader.read(peer) })),
      )
      return told.flatMap(({ peer, report }) => {
        const common = { service: 'gateway', address: peer }
        if (report === undefined) return { ...common, id: peer, state: 'unreachable' as const }
        if (report === null || report.instance === self) return []
        const { instance: id, pid, isReady } = report
        return { ...common, id, pid, state: isReady ? ('ready' as const) : ('draining' as const) }
      })
    },
    async askPeers(instanceId) {
      const told = await Promise.all(
        peers.current().map((peer) => reader.readPoints(peer, instanceId)),
      )
      const lists = told.filter((each) => Array.isArray(each)) as SystemInstance['points'][]
      return lists.reduce((most, each) => (each.length > most.length ? each : most), [])
    },
  }
}
