import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SystemArchitecture, SystemPicture } from '@halles/contracts/gen/http/gateway'
import { layOut } from '../src/routes/console/map-layout.ts'
import { joinPoints, mergePoints, numbersOf } from '../src/routes/console/numbers.ts'
import { partWords } from '../src/routes/console/part-words.ts'
import { type Scene, toScene } from '../src/routes/console/picture.ts'
import { changes } from '../src/routes/console/use-news.ts'
import { en } from '../src/text/console/en.ts'
import architecture from './console-architecture.json' with { type: 'json' }
import recorded from './console-picture.json' with { type: 'json' }

const known = architecture as SystemArchitecture
/** As the API told it while products stood still and wishlists was stopped. */
const picture = recorded as unknown as SystemPicture
const scene = toScene(known, [picture])
const partOf = (id: string, from: Scene = scene) => {
  const part = from.parts.find((each) => each.id === id)
  assert.ok(part, `There is no ${id}.`)
  return part
}
const arrowOf = (from: string, to: string) => {
  const arrow = scene.arrows.find((each) => each.from === from && each.to === to)
  assert.ok(arrow)
  return arrow
}

test('before the first picture every part is drawn, and of none is anything said', () => {
  const empty = toScene(known, [])
  assert.equal(empty.at, null)
  assert.deepEqual(new Set(empty.parts.map(({ wellness }) => wellness)), new Set(['unknown']))
  assert.equal(partWords(en).trouble(partOf('orders', empty)), undefined)
})

test('a part that stands still or was stopped is down, and its state has its own name', () => {
  const words = partWords(en)
  for (const [id, state] of [
    ['products', 'frozen'],
    ['wishlists', 'stopped'],
  ] as const) {
    const part = partOf(id)
    assert.equal(part.wellness, 'down')
    assert.deepEqual(
      part.lamps.map((lamp) => [lamp.id, lamp.state]),
      [[`${id}-1`, state]],
    )
    assert.equal(words.brief(part), state)
  }
})

test('instances have what the stack and what they themselves say', () => {
  const { lamps, wellness } = partOf('carts')
  assert.equal(wellness, 'well')
  assert.deepEqual(
    lamps.map(({ id }) => id),
    ['carts-1', 'carts-2', 'carts-3'],
  )
  assert.ok(lamps.every(({ pid, memoryBytes }) => pid !== undefined && memoryBytes !== undefined))
})

test('with one of several instances away, a part is strained', () => {
  const processes = (picture.processes ?? []).map((each) =>
    each.instance === 'carts-2' ? { ...each, state: 'frozen' } : each,
  )
  const part = partOf('carts', toScene(known, [{ ...picture, processes }]))
  assert.equal(part.wellness, 'strained')
  assert.equal(partWords(en).brief(part), '2 of 3 ready')
})

test('without a local stack the instances stand for themselves, and nothing can be disturbed', () => {
  const { processes: _left, ...deployed } = picture
  const seen = toScene(known, [deployed])
  assert.equal(seen.isLocal, false)
  assert.equal(partOf('products', seen).lamps[0]?.state, 'unhealthy')
  assert.equal(partOf('products', seen).runsAs, undefined)
})

test('an arrow tells the mean of the last pictures, and its failures', () => {
  assert.ok((arrowOf('gateway', 'products').failuresPerSecond ?? 0) > 0)
  const quiet = { ...picture, arrows: [] }
  const later = toScene(known, [quiet, picture])
  const [now, mean] = [scene, later].map(({ arrows }) =>
    arrows.find(({ from, to }) => from === 'client' && to === 'gateway'),
  )
  assert.equal(mean?.perSecond, (now?.perSecond ?? 0) / 2)
})

test('what serves pages stands apart from the services, with its database', () => {
  assert.equal(partOf('web').kind, 'app')
  const { places } = layOut(scene.parts, scene.arrows)
  const [web, database] = [places.get('web'), places.get('database:web')]
  assert.ok(web && database && web.y < database.y)
  assert.ok(database.y < (places.get('gateway')?.y ?? 0))
})

test('every part has a place, every arrow a way, and no two places overlap', () => {
  const { nodes, edges } = withNewServices(5)
  const map = layOut(nodes, edges)
  for (const { id } of nodes) assert.ok(map.places.has(id), id)
  for (const { id } of edges) assert.ok(map.routes.has(id), id)
  const places = [...map.places]
  for (const [index, [a, one]] of places.entries()) {
    assert.ok(one.x >= 0 && one.x + one.width <= map.width, `${a} is outside.`)
    for (const [b, other] of places.slice(index + 1)) {
      const isApart =
        one.x + one.width <= other.x ||
        other.x + other.width <= one.x ||
        one.y + one.height <= other.y ||
        other.y + other.height <= one.y
      assert.ok(isApart, `${a} and ${b} overlap.`)
    }
  }
})

test('the same parts are placed in the same way every time', () => {
  const once = layOut(scene.parts, scene.arrows)
  const again = layOut(scene.parts, scene.arrows)
  assert.deepEqual([...once.places], [...again.places])
  assert.deepEqual([...once.routes], [...again.routes])
})

/** The platform with services, databases and topics that it has not yet. */
function withNewServices(count: number) {
  const numbers = Array.from({ length: count }, (_, index) => index)
  const nodes = numbers.flatMap((index) => [
    { id: `new-${index}`, kind: 'service' as const },
    { id: `database:new-${index}`, kind: 'database' as const },
    { id: `topic:new-${index}`, kind: 'topic' as const },
  ])
  const edges = numbers.flatMap((index) => [
    { from: 'gateway', to: `new-${index}`, kind: 'http' as const },
    { from: `new-${index}`, to: `database:new-${index}`, kind: 'sql' as const },
    { from: `new-${index}`, to: `topic:new-${index}`, kind: 'topic' as const },
    { from: `topic:new-${index}`, to: 'carts', kind: 'topic' as const },
  ])
  return {
    nodes: [...scene.parts, ...nodes],
    edges: [...scene.arrows, ...edges.map((edge) => ({ ...edge, id: `${edge.from}>${edge.to}` }))],
  }
}

test('only changes of state are told, each in a sentence', () => {
  const { processes = [] } = picture
  const thawed = processes.map((each) =>
    each.part === 'products' ? { ...each, state: 'starting' } : each,
  )
  const next = toScene(known, [{ ...picture, deadLetters: 2, processes: thawed }])
  assert.deepEqual(changes(scene, next, en.map), ['products-1 is starting.', 'Dead letters: 2.'])
  assert.deepEqual(changes(next, next, en.map), [])
})

test('a curve joins what the instances remember with what was seen since', () => {
  const at = (second: number) => new Date(second * 1_000).toISOString()
  const figures = { requestsPerSecond: 2, errorsPerSecond: 0, p95Ms: 5, memoryBytes: 1024 * 1024 }
  const older = mergePoints([
    [{ at: at(10), figures }],
    [
      { at: at(10), figures: { ...figures, p95Ms: 9 } },
      { at: at(11), figures },
    ],
  ])
  assert.deepEqual(older[0]?.numbers, { requests: 4, failures: 0, p95Ms: 9, memoryMb: 2 })
  const seen = [{ atMs: 11_000, numbers: numbersOf(partOf('carts')) }]
  assert.deepEqual(
    joinPoints(older, seen).map(({ atMs }) => atMs),
    [10_000, 11_000],
  )
})
