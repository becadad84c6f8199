import { type AddressSource, createAddressSource } from '@halles/kit/address-source'
import type { InstanceView } from '@halles/kit/discovery'
import type { Logger } from '@halles/kit/logging'
import type { Vitals } from '@halles/kit/vitals'
import type { Upstream } from '../upstream.ts'
import type { Known } from './collector.ts'
import type { VitalsReader } from './vitals-reader.ts'

/** The metrics ports of all gateways, this one among them. */
export function createPeers(items: readonly string[], logger: Logger): AddressSource {
  return createAddressSource({ items, kind: 'http', logger })
}

/**
 * Every instance that this gateway knows of: itself, the other gateways by their metrics ports, and
 * the services as it finds them for requests.
 */
export function createKnown(deps: {
  self: { id: string; address: string }
  vitals: Vitals
  peers: AddressSource
  upstreams: ReadonlyMap<string, Upstream>
  reader: VitalsReader
}): () => Known[] {
  const { self, vitals, peers, upstreams, reader } = deps
  const service = 'gateway'
  // Those of the addresses that turned out to be this gateway's own.
  const own = new Set<string>()

  function toPeer(address: string): Known {
    const read = async () => {
      const report = await reader.read(address)
      if (report?.instance === self.id) own.add(address)
      return report
    }
    return { service, address, state: 'ready', read }
  }

  return () => [
    { service, address: self.address, state: 'ready', read: vitals.read },
    ...peers
      .current()
      .filter((address) => !own.has(address))
      .map(toPeer),
    ...[...upstreams.values()].flatMap(({ service: name, instances }) =>
      instances().map(({ address, state }: InstanceView) => ({
        ...{ service: name, address, state },
        read: () => reader.read(address),
      })),
    ),
  ]
}
