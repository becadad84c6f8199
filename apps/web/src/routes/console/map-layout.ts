import type { ArrowKind } from './arrows.ts'
import { type Route, routeArrows } from './map-routes.ts'
import type { PartKind } from './picture.ts'

export type Place = { x: number; y: number; width: number; height: number }

/** Where everything is drawn, in units of the picture's own. */
export type MapLayout = {
  width: number
  height: number
  /** Where the columns of services begin and end. */
  columns: { start: number; end: number }
  places: ReadonlyMap<string, Place>
  /** By the id of the arrow. */
  routes: ReadonlyMap<string, Route>
}

export type MapNode = { id: string; kind: PartKind }
export type MapEdge = { id: string; from: string; to: string; kind: ArrowKind }

const labels = 196
const pitch = 160
const gutter = 92
const boxWidth = 148
const databaseWidth = 114
export const rank = {
  top: { y: 8, height: 56 },
  balancer: { y: 102, height: 34 },
  gateway: { y: 166, height: 92 },
  services: { y: 408, height: 98 },
  databases: { y: 544, height: 52 },
  lanes: { y: 630, height: 32, pitch: 40 },
}

/** The lane of what could not be delivered lies below the others. */
export const deadLetters = 'dead-letters'

/**
 * Places parts in named ranks: clients and providers, the balancer, the gateways, a column for each
 * service with its databases below, and a lane for each queue and topic. The same parts are always
 * placed in the same way, and a part that is new finds a place.
 */
export function layOut(nodes: readonly MapNode[], edges: readonly MapEdge[]): MapLayout {
  const of = (...kinds: PartKind[]) => nodes.filter(({ kind }) => kinds.includes(kind))
  const services = orderServices(of('service'), edges)
  const start = labels
  const end = labels + pitch * Math.max(services.length, 4)
  const width = end + gutter
  const middle = (start + end) / 2
  const places = new Map<string, Place>()

  placeRow(places, of('client'), { ...rank.top, x: middle, width: 250 })
  for (const [index, { id }] of of('provider').entries()) {
    places.set(id, { ...rank.top, x: width - 214 - 230 * index, width: 206 })
  }
  for (const { id } of of('balancer')) {
    places.set(id, { ...rank.balancer, x: middle - 300, width: 600 })
  }
  for (const { id } of of('gateway')) {
    places.set(id, { ...rank.gateway, x: start + 6, width: end - start + 48 })
  }
  for (const [index, { id }] of of('cache').entries()) {
    places.set(id, { ...rank.gateway, x: 8 - 200 * index, width: 134 })
  }
  for (const [index, { id }] of of('app').entries()) {
    const x = 8 + pitch * index
    places.set(id, { ...rank.top, x, width: 134 })
    placeDatabases(places, databasesOf(id, nodes, edges), { x: x - 13, y: rank.balancer.y })
  }
  for (const [index, { id }] of services.entries()) {
    const x = start + pitch * index
    places.set(id, { ...rank.services, x: x + (pitch - boxWidth) / 2, width: boxWidth })
    placeDatabases(places, databasesOf(id, nodes, edges), { x, y: rank.databases.y })
  }
  const lanes = [...of('queue'), ...of('topic'), { id: deadLetters }]
  for (const [index, { id }] of lanes.entries()) {
    const { y, height, pitch: step } = rank.lanes
    places.set(id, { x: start, y: y + step * index, width: end - start + 48, height })
  }
  const height = rank.lanes.y + rank.lanes.pitch * lanes.length
  const columns = { start, end }
  const routes = routeArrows({ nodes, edges, places, columns })
  return { width, height, columns, places, routes }
}

/** Who asks somebody outside stands at the edge, so that its arrow crosses nobody's. */
function orderServices(services: readonly MapNode[], edges: readonly MapEdge[]): MapNode[] {
  const asksOutside = ({ id }: MapNode) =>
    edges.some(({ from, kind }) => from === id && kind === 'https')
  return services.toSorted((a, b) => Number(asksOutside(a)) - Number(asksOutside(b)))
}

function databasesOf(service: string, nodes: readonly MapNode[], edges: readonly MapEdge[]) {
  return nodes.filter(
    ({ id, kind }) =>
      kind === 'database' && edges.some(({ from, to }) => from === service && to === id),
  )
}

function placeDatabases(
  places: Map<string, Place>,
  databases: readonly MapNode[],
  { x, y }: { x: number; y: number },
) {
  const width = databaseWidth / Math.max(1, databases.length)
  for (const [index, { id }] of databases.entries()) {
    const { height } = rank.databases
    places.set(id, { x: x + (pitch - databaseWidth) / 2 + width * index, y, width, height })
  }
}

function placeRow(
  places: Map<string, Place>,
  nodes: readonly MapNode[],
  { x: middle, y, width, height }: Place,
) {
  const step = width + 20
  for (const [index, { id }] of nodes.entries()) {
    const x = middle - width / 2 + step * (index - (nodes.length - 1) / 2)
    places.set(id, { x, y, width, height })
  }
}
