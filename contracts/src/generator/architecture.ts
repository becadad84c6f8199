import type { ServiceSource } from './http.ts'
import type { MessagesSource } from './messages.ts'

/** What services.yaml says, by service. */
export type ServicesSource = Record<
  string,
  { database: string; asks?: string[]; outside?: string[]; hasPages?: boolean }
>

type Node = { id: string; kind: string; name: string }
type Edge = { from: string; to: string; kind: string }

const gateway = 'gateway'

/** The module of the picture that all contracts together make: who there is, and who talks to whom. */
export function toArchitectureModule(
  services: ServicesSource,
  { http, messages }: { http: readonly ServiceSource[]; messages: readonly MessagesSource[] },
): string {
  const nodes: Node[] = [
    { id: 'client', kind: 'client', name: 'client' },
    { id: gateway, kind: 'gateway', name: gateway },
  ]
  const edges: Edge[] = [{ from: 'client', to: gateway, kind: 'http' }]
  const served = http.map(({ service }) => service).filter((service) => service !== gateway)
  for (const service of served) {
    if (!services[service]) throw new Error(`services.yaml does not know ${service}.`)
    edges.push({ from: gateway, to: service, kind: 'http' })
  }
  for (const [service, source] of Object.entries(services)) {
    const { database, asks = [], outside = [], hasPages = false } = source
    const store = `database:${database}`
    nodes.push({ id: service, kind: 'service', name: service })
    nodes.push({ id: store, kind: 'database', name: database })
    edges.push(...asks.map((to) => ({ from: service, to, kind: 'grpc' })))
    edges.push({ from: service, to: store, kind: 'sql' })
    if (hasPages) {
      edges.push({ from: gateway, to: service, kind: 'http' })
      edges.push({ from: service, to: gateway, kind: 'http' })
    }
    for (const name of outside) {
      nodes.push({ id: name, kind: 'provider', name })
      edges.push({ from: service, to: name, kind: 'https' })
    }
  }
  for (const { producer, consumers, queue, topic } of messages) {
    const kind = queue ? 'queue' : 'topic'
    const name = queue ?? topic ?? ''
    const id = `${kind}:${name}`
    nodes.push({ id, kind, name })
    edges.push({ from: producer, to: id, kind })
    edges.push(...consumers.map((to) => ({ from: id, to, kind })))
  }
  const ids = new Set(nodes.map(({ id }) => id))
  for (const { from, to } of edges) {
    if (!ids.has(from) || !ids.has(to)) throw new Error(`Nobody is named ${from} or ${to}.`)
  }
  return `/** Who there is, and who talks to whom. */
export const architecture = ${JSON.stringify({ nodes, edges }, null, 2)} as const\n`
}
