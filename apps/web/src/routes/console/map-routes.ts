import type { MapEdge, MapNode, Place } from './map-layout.ts'
import type { PartKind } from './picture.ts'

export type Point = { x: number; y: number }

/** How an arrow is drawn. */
export type Route = {
  /** Of an SVG path. */
  path: string
  head: Point & { towards: 'up' | 'down' | 'left' | 'right' }
  /** Where its number stands; undefined where there is none. */
  label?: Point & { anchor: 'start' | 'middle' | 'end' }
  /** Where its breaker is drawn, on the arrow. */
  breaker?: Point
  /** For what lies before a consumer: from its tap towards the producer. */
  pile?: { from: number; to: number }
}

type Ground = {
  nodes: readonly MapNode[]
  edges: readonly MapEdge[]
  places: ReadonlyMap<string, Place>
  columns: { start: number; end: number }
}
/** An edge with what it joins. */
type Line = { edge: MapEdge; from: Place; to: Place; fromKind: PartKind; toKind: PartKind }

const tapOffset = 64
const tapStep = 9
const trunkStep = 15

/** The way of every arrow whose ends are drawn. */
export function routeArrows(ground: Ground): Map<string, Route> {
  const kindOf = new Map(ground.nodes.map(({ id, kind }) => [id, kind]))
  const lines = ground.edges.flatMap((edge): Line[] => {
    const [from, to] = [ground.places.get(edge.from), ground.places.get(edge.to)]
    const [fromKind, toKind] = [kindOf.get(edge.from), kindOf.get(edge.to)]
    return from && to && fromKind && toKind ? [{ edge, from, to, fromKind, toKind }] : []
  })
  const slots = createSlots()
  return new Map(lines.map((line) => [line.edge.id, routeOf(line, lines, { ground, slots })]))
}

function routeOf(
  line: Line,
  lines: readonly Line[],
  { ground, slots }: { ground: Ground; slots: Slots },
): Route {
  const { from, to, fromKind, toKind } = line
  const isLane = (kind: PartKind) => kind === 'queue' || kind === 'topic'
  if (isLane(toKind)) return routeIn(line, slots)
  if (isLane(fromKind)) return routeOut(line, lines, { ground, slots })
  if (fromKind === 'client') return routeClient(line, ground)
  if (fromKind === 'gateway' && toKind === 'service') return routeDown(from, to)
  if (fromKind === 'service' && toKind === 'service') return routeArch(line, lines)
  if (toKind === 'database') return routeDatabase(to, from)
  if (toKind === 'provider') return routeOutside(line, ground, slots)
  if (fromKind === 'provider') return routeWebhook(from, to)
  if (toKind === 'app') return routeApp(from, to)
  if (fromKind === 'app' && toKind === 'gateway') return routeAppBack(from, to)
  return routeStraight(from, to)
}

const middleOf = ({ x, width }: Place) => x + width / 2
const bottomOf = ({ y, height }: Place) => y + height

function routeDown(from: Place, to: Place): Route {
  const x = middleOf(to)
  const y = bottomOf(from)
  return {
    path: `M${x} ${y}V${to.y - 10}`,
    head: { x, y: to.y, towards: 'down' },
    label: { x: x + 16, y: y + 26, anchor: 'start' },
    breaker: { x, y: y + 90 },
  }
}

/** People reach the gateways through the balancer, where one is drawn. */
function routeClient({ from, to }: Line, { nodes, places }: Ground): Route {
  const balancer = nodes.find(({ kind }) => kind === 'balancer')
  const target = (balancer && places.get(balancer.id)) ?? to
  const x = middleOf(from)
  const y = bottomOf(from)
  return {
    path: `M${x} ${y}V${target.y - 8}`,
    head: { x, y: target.y, towards: 'down' },
    label: { x: x + 18, y: (y + target.y) / 2 + 8, anchor: 'start' },
  }
}

function routeDatabase(to: Place, from: Place): Route {
  const x = middleOf(to)
  return {
    path: `M${x} ${bottomOf(from)}V${to.y - 8}`,
    head: { x, y: to.y, towards: 'down' },
  }
}

/** Over the tops of the services between; what comes back the other way goes below. */
function routeArch({ edge, from, to }: Line, lines: readonly Line[]): Route {
  const isArch = ({ fromKind, toKind }: Line) => fromKind === 'service' && toKind === 'service'
  const arches = lines.filter(isArch)
  const back = arches.findIndex((each) => each.edge.from === edge.to && each.edge.to === edge.from)
  const isBelow = back >= 0 && back < arches.findIndex((each) => each.edge.id === edge.id)
  const direction = Math.sign(to.x - from.x)
  const span = Math.abs(to.x - from.x)
  const isNearer = (each: Line) =>
    Math.sign(each.to.x - each.from.x) === direction && Math.abs(each.to.x - each.from.x) < span
  // The nearer of two neighbours joins further out, so that arches do not cross at their feet.
  const nearer = arches.filter(isNearer)
  const leaving = nearer.filter((each) => each.edge.from === edge.from).length
  const coming = nearer.filter((each) => each.edge.to === edge.to).length
  const x1 = middleOf(from) + direction * (56 - 18 * leaving)
  const x2 = middleOf(to) - direction * (46 - 18 * coming)
  const y1 = isBelow ? bottomOf(from) : from.y
  const y2 = isBelow ? bottomOf(to) + 10 : to.y - 10
  const rise = (isBelow ? -1 : 1) * Math.min(72, 12 + span / 8)
  const crown = y1 - rise
  const bend = y1 - rise * 1.33
  const columns = Math.round(span / 160)
  return {
    path: `M${x1} ${y1}C${x1} ${bend} ${x2} ${bend} ${x2} ${y2}`,
    head: { x: x2, y: isBelow ? bottomOf(to) : to.y, towards: isBelow ? 'up' : 'down' },
    label: {
      // Over the middle of an even number of columns runs the arrow of the gateway. Its number, and
      // those of its failures, reach down to a wide arch, which therefore has its own below.
      x: (x1 + x2) / 2 + (columns % 2 === 0 ? 44 : 0),
      y: isBelow ? crown + 20 : columns > 1 ? crown + 38 : crown - 8,
      anchor: 'middle',
    },
    breaker: { x: (x1 + x2) / 2, y: crown + (isBelow ? -1 : 1) },
  }
}

/** From a service down into a lane. */
function routeIn({ edge, from, to }: Line, slots: Slots): Route {
  const x = middleOf(from) - tapOffset - tapStep * slots(`${edge.from} left`)
  return {
    path: `M${x} ${bottomOf(from)}V${to.y - 8}`,
    head: { x, y: to.y, towards: 'down' },
    label: { x: x + 12, y: to.y + to.height / 2, anchor: 'start' },
  }
}

/** Out of a lane up to its consumer; to the gateways at the right of all services. */
function routeOut(
  { edge, from, to, toKind }: Line,
  lines: readonly Line[],
  { ground, slots }: { ground: Ground; slots: Slots },
): Route {
  const isTrunk = toKind === 'gateway'
  const x = isTrunk
    ? ground.columns.end + 8 + trunkStep * slots('trunk')
    : middleOf(to) + tapOffset + tapStep * slots(`${edge.to} right`)
  const producer = lines.find(({ edge: each }) => each.to === edge.from)
  const source = producer ? middleOf(producer.from) - tapOffset : from.x
  return {
    path: `M${x} ${from.y}V${bottomOf(to) + 8}`,
    head: { x, y: bottomOf(to), towards: 'up' },
    label: { x: x - 12, y: from.y + from.height / 2, anchor: 'end' },
    pile: { from: x, to: source },
  }
}

function routeOutside({ from, to }: Line, { columns }: Ground, slots: Slots): Route {
  const index = slots('outside')
  const x = columns.end + 74 + 8 * index
  const y = from.y + 24
  const isLast = Math.abs(from.x + from.width - columns.end) < 80
  const way = isLast
    ? `M${from.x + from.width} ${y}H${x - 12}q12 0 12 -12`
    : `M${from.x + from.width - 8} ${from.y}v-${12 + 8 * index}H${x}`
  return {
    path: `${way}V${bottomOf(to) + 8}`,
    head: { x, y: bottomOf(to), towards: 'up' },
  }
}

/** From below the provider in at the balancer's side. */
function routeWebhook(from: Place, to: Place): Route {
  const x = from.x + 50
  const y = to.y + to.height / 2
  const right = to.x + to.width
  return {
    path: `M${x} ${bottomOf(from)}V${y - 14}q0 14 -14 14H${right + 8}`,
    head: { x: right, y, towards: 'left' },
    label: { x: (x + right) / 2, y: y - 10, anchor: 'middle' },
  }
}

function routeApp(from: Place, to: Place): Route {
  const x = from.x + 40
  const y = to.y + to.height / 2 + 13
  return {
    path: `M${x} ${from.y}V${y + 14}q0 -14 -14 -14H${to.x + to.width + 8}`,
    head: { x: to.x + to.width, y, towards: 'left' },
    label: { x: x - 14, y: from.y - 16, anchor: 'end' },
    breaker: { x, y: from.y - 24 },
  }
}

/** Around the way that leads to the app. */
function routeAppBack(from: Place, to: Place): Route {
  const x = to.x + 76
  const y = from.y + from.height / 2 - 13
  return {
    path: `M${from.x + from.width} ${y}H${x - 14}q14 0 14 14V${to.y - 8}`,
    head: { x, y: to.y, towards: 'down' },
    label: { x: x + 16, y: to.y - 16, anchor: 'start' },
  }
}

function routeStraight(from: Place, to: Place): Route {
  const y = from.y + from.height / 2
  const isLeft = to.x < from.x
  const [x1, x2] = isLeft ? [from.x, to.x + to.width] : [from.x + from.width, to.x]
  return {
    path: `M${x1} ${y}L${x2 + (isLeft ? 8 : -8)} ${to.y + to.height / 2}`,
    head: { x: x2, y: to.y + to.height / 2, towards: isLeft ? 'left' : 'right' },
    label: { x: (x1 + x2) / 2, y: y - 12, anchor: 'middle' },
  }
}

type Slots = (name: string) => number

/** Counts how many have taken a place at the same side of the same box. */
function createSlots(): Slots {
  const taken = new Map<string, number>()
  return (name) => {
    const next = taken.get(name) ?? 0
    taken.set(name, next + 1)
    return next
  }
}
