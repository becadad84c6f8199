import { architecture } from '@halles/contracts/gen/architecture'
import { parts } from '../topology.ts'

/** A service may open connections to another one's port. */
export type Arrow = { from: string; to: string; port: string }

const { nodes } = architecture
// As plain text: the generated types know that today's picture has no other kinds.
const edges: readonly { from: string; to: string; kind: string }[] = architecture.edges
const served = new Set(
  nodes
    .filter(({ kind }) => kind === 'service' || kind === 'gateway')
    .map(({ id }) => id as string),
)

/**
 * Who calls whom. Beyond the contracts' arrows there are three of the plumbing: every service asks
 * auth for its keys and rbac for its policy, and gateways ask each other how they are.
 */
export function expectedCalls(): Arrow[] {
  const ofContracts = edges
    .filter(({ from, to }) => served.has(from) && served.has(to))
    .map(({ from, to, kind }) => ({ from, to, port: kind }))
  const services = parts.filter(({ entry }) => entry.startsWith('services/'))
  const keys = services.map(({ name }) => ({ from: name, to: 'auth', port: 'http' }))
  const policy = services
    .filter(({ calls }) => calls?.includes('rbac'))
    .map(({ name }) => ({ from: name, to: 'rbac', port: 'http' }))
  const gateways = [{ from: 'gateway', to: 'gateway', port: 'metrics' }]
  const all = [...ofContracts, ...keys, ...policy, ...gateways]
  return [...new Map(all.map((arrow) => [toText(arrow), arrow])).values()]
}

/** `orders → carts (grpc)`. */
export function toText({ from, to, port }: Arrow): string {
  return `${from} → ${to} (${port})`
}

const brokerOf: Readonly<Record<string, string>> = { topic: 'kafka', queue: 'rabbitmq' }

/** The servers of others that a service talks to, but for its database. */
export function brokersOf(service: string): string[] {
  const touched = edges
    .filter(({ from, to }) => from === service || to === service)
    .flatMap(({ kind }) => brokerOf[kind] ?? [])
  // Gateways share a cache, and show staff how many commands wait.
  const own = service === 'gateway' ? ['rabbitmq', 'redis'] : []
  return [...new Set([...touched, ...own])].sort()
}

/** Who outside the platform a service calls. */
export function outsideOf(service: string): string[] {
  return edges.filter(({ from, kind }) => from === service && kind === 'https').map(({ to }) => to)
}

/** What a service follows together with its replicas; gateways each follow everything. */
export function consumersOf(service: string): { kind: string; name: string }[] {
  if (service === 'gateway') return []
  return edges
    .filter(({ to, kind }) => to === service && brokerOf[kind] !== undefined)
    .map(({ from, kind }) => ({ kind, name: from.slice(kind.length + 1) }))
}
