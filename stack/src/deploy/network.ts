import { type Arrow, brokersOf, expectedCalls, outsideOf, toText } from './arrows.ts'
import { chartServices } from './chart-topology.ts'
import { type Manifest, type Selector, selects, type Workload } from './manifests.ts'
import { chartPorts } from './ports.ts'

type Peer = { podSelector?: Selector; namespaceSelector?: Selector; ipBlock?: object }
type Rule = { from?: readonly Peer[]; to?: readonly Peer[]; ports?: readonly { port?: unknown }[] }
type Policy = {
  name: string
  podSelector: Selector
  policyTypes: readonly string[]
  ingress: readonly Rule[]
  egress: readonly Rule[]
}
type Direction = 'ingress' | 'egress'

const anywhere = 'anywhere'
const elsewhere = 'outside'

const ownPorts = new Map<unknown, string>(
  Object.entries(chartPorts).map(([name, port]) => [port, name]),
)
/** Servers that are none of the release's pods are told by their ports. */
const servers = new Map<unknown, string>([
  [53, 'dns'],
  [443, 'the internet'],
  [4318, 'telemetry'],
  [5432, 'postgres'],
  [5672, 'rabbitmq'],
  [6379, 'redis'],
  [9092, 'kafka'],
])

/** Differences between the arrows that NetworkPolicies allow and those of the architecture. */
export function networkFaults(
  manifests: readonly Manifest[],
  workloads: readonly Workload[],
): string[] {
  const policies = manifests.filter(({ kind }) => kind === 'NetworkPolicy').map(toPolicy)
  const vague = policies
    .filter((policy) => JSON.stringify(policy).includes('matchExpressions'))
    .map(({ name }) => `NetworkPolicy ${name} selects by expressions, which are not judged here.`)
  const open = workloads.flatMap((workload) =>
    (['ingress', 'egress'] as const)
      .filter((direction) => policiesOf(workload, policies, direction).length === 0)
      .map((direction) => `NetworkPolicy: nothing denies ${direction} of ${workload.component}.`),
  )
  const sent = workloads.flatMap((each) => sentBy(each, { policies, workloads }))
  const received = workloads.flatMap((each) => receivedBy(each, { policies, workloads }))
  const wanted = workloads.flatMap(expectedOf)
  const names = new Set(workloads.map(({ component }) => component))
  const within = wanted.filter(({ to }) => names.has(to))
  return [
    ...vague,
    ...open,
    ...compare(sent, wanted, 'lets out'),
    ...compare(received.filter(isInside), within, 'lets in'),
    ...compare(
      received.filter((arrow) => !isInside(arrow)),
      entrances(received),
      'lets in',
    ),
  ]
}

const isInside = ({ from }: Arrow) => from !== elsewhere

function toPolicy({ metadata, spec = {} }: Manifest): Policy {
  const { podSelector, policyTypes, ingress, egress } = spec as Partial<Policy>
  return {
    name: metadata.name,
    podSelector: podSelector ?? {},
    policyTypes: policyTypes ?? ['Ingress'],
    ingress: ingress ?? [],
    egress: egress ?? [],
  }
}

const typeOf = { ingress: 'Ingress', egress: 'Egress' } as const

function policiesOf({ labels }: Workload, policies: readonly Policy[], direction: Direction) {
  return policies.filter(
    ({ podSelector, policyTypes }) =>
      policyTypes.includes(typeOf[direction]) && selects(podSelector, labels),
  )
}

type Picture = { policies: readonly Policy[]; workloads: readonly Workload[] }

function sentBy(workload: Workload, { policies, workloads }: Picture): Arrow[] {
  const rules = policiesOf(workload, policies, 'egress').flatMap(({ egress }) => egress)
  return rules.flatMap(({ to, ports }) =>
    portsOf(ports).flatMap((port) => {
      const ends = to?.length ? to.flatMap((peer) => targets(peer, workloads)) : [anywhere]
      return ends.map((end) => {
        const isServer = end === elsewhere
        const name = isServer ? (servers.get(port) ?? `port ${port}`) : end
        return { from: workload.component, to: name, port: portName(port, isServer) }
      })
    }),
  )
}

function receivedBy(workload: Workload, { policies, workloads }: Picture): Arrow[] {
  const rules = policiesOf(workload, policies, 'ingress').flatMap(({ ingress }) => ingress)
  return rules.flatMap(({ from, ports }) =>
    portsOf(ports).flatMap((port) => {
      const ends = from?.length ? from.flatMap((peer) => targets(peer, workloads)) : [anywhere]
      return ends.map((end) => ({
        from: end,
        to: workload.component,
        port: portName(port, false),
      }))
    }),
  )
}

const portsOf = (ports: Rule['ports']) => (ports?.length ? ports.map(({ port }) => port) : ['any'])

// A server of others is told by its port already.
const portName = (port: unknown, isServer: boolean) =>
  isServer ? 'server' : (ownPorts.get(port) ?? String(port))

/** The components that a peer takes in, or that it lies elsewhere. */
function targets(peer: Peer, workloads: readonly Workload[]): string[] {
  const { podSelector = {}, namespaceSelector } = peer
  if (peer.ipBlock) return [elsewhere]
  // Namespaces by their labels are those of others; all of them hold ours too.
  const isOther = Object.keys(namespaceSelector?.matchLabels ?? {}).length > 0
  if (isOther) return [elsewhere]
  const own = workloads.filter(({ labels }) => selects(podSelector, labels))
  return own.length > 0 ? own.map(({ component }) => component) : [elsewhere]
}

const migration = /-migration$/

/** What a workload may open: the arrows of its service, or its database alone while it migrates. */
function expectedOf({ component, pod }: Workload): Arrow[] {
  const variables = new Set(pod.containers.flatMap(({ env = [] }) => env.map(({ name }) => name)))
  const toServer = (to: string) => ({ from: component, to, port: 'server' })
  const service = chartServices()[component.replace(migration, '')]
  const database = service?.database === undefined ? [] : ['postgres']
  if (migration.test(component)) return ['dns', ...database].map(toServer)
  const brokers = brokersOf(component).filter(
    (name) => name !== 'redis' || variables.has('REDIS_URL_FILE'),
  )
  const others = [
    ...(outsideOf(component).length > 0 ? ['the internet'] : []),
    ...(variables.has('OTEL_EXPORTER_OTLP_ENDPOINT') ? ['telemetry'] : []),
  ]
  return [
    ...expectedCalls().filter(({ from }) => from === component),
    ...['dns', ...database, ...brokers, ...others].map(toServer),
  ]
}

/** Who may come in from outside: clients to the gateways, and who reads measurements. */
function entrances(received: readonly Arrow[]): Arrow[] {
  const measured = received.filter(({ from, port }) => from === elsewhere && port === 'metrics')
  return [{ from: elsewhere, to: 'gateway', port: 'http' }, ...measured]
}

function compare(found: readonly Arrow[], wanted: readonly Arrow[], verb: string): string[] {
  const has = new Set(found.map(toText))
  const needs = new Set(wanted.map(toText))
  const extra = [...has].filter((text) => !needs.has(text))
  const missing = [...needs].filter((text) => !has.has(text))
  return [
    ...extra.map((text) => `NetworkPolicy ${verb} ${text}: the architecture has no such arrow.`),
    ...missing.map(
      (text) => `NetworkPolicy never ${verb} ${text}: the architecture has that arrow.`,
    ),
  ]
}
