import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { schemas } from '../gen/schemas.ts'
import type { JsonSchema } from '../src/compatibility/compare.ts'
import { compareSchemas } from '../src/compatibility/compare.ts'
import { proveBySamples } from '../src/compatibility/proof.ts'
import { samplesOf } from '../src/compatibility/samples.ts'
import { judgeContracts, reviewContracts } from '../src/compatibility.ts'

const type = 'halles.shops.shop-opened.v1'
const shop = {
  $comment: 'Sent by shops to the topic shops.events.v1, in order per shopId.',
  title: type,
  type: 'object',
  properties: {
    shopId: { type: 'string', format: 'uuid' },
    name: { type: 'string', minLength: 1, maxLength: 100 },
    code: { type: 'string', pattern: '^[A-Z]{2,3}$' },
    seats: { type: 'integer', minimum: 0, maximum: 500 },
    kind: { type: 'string', enum: ['stall', 'hall'] },
    owner: { type: ['string', 'null'] },
    note: { type: 'string' },
    stalls: {
      type: 'array',
      items: {
        type: 'object',
        properties: { place: { type: 'integer' }, isOpen: { type: 'boolean' } },
        required: ['place', 'isOpen'],
      },
    },
  },
  required: ['shopId', 'name', 'code', 'seats', 'kind', 'owner', 'stalls'],
}
type Shop = typeof shop
type Change = (draft: { properties: Record<string, JsonSchema>; required: string[] }) => void

function changed(change: Change): JsonSchema {
  const draft = structuredClone(shop) as unknown as Parameters<Change>[0]
  change(draft)
  return draft as unknown as JsonSchema
}

const member = (name: keyof Shop['properties'], keywords: JsonSchema): Change => {
  return (draft) => {
    draft.properties[name] = { ...draft.properties[name], ...keywords }
  }
}
const stall = (properties: JsonSchema, required: string[]): Change =>
  member('stalls', { items: { type: 'object', properties, required } })

/** What breaks a reader, where the check finds it, and whether messages alone show it too. */
const breaks: [string, Change, string, 'shown' | 'not shown'][] = [
  ['a member is removed', (draft) => delete draft.properties.note, '/properties/note', 'not shown'],
  [
    'a required member is removed',
    (draft) => {
      delete draft.properties.seats
      draft.required = draft.required.filter((name) => name !== 'seats')
    },
    '/properties/seats',
    'shown',
  ],
  [
    'a new member is required',
    (draft) => {
      draft.properties.street = { type: 'string' }
      draft.required.push('street')
    },
    '/properties/street',
    'shown',
  ],
  ['an optional one becomes required', (d) => d.required.push('note'), '/properties/note', 'shown'],
  [
    'a required one becomes optional',
    (draft) => {
      draft.required = draft.required.filter((name) => name !== 'name')
    },
    '/properties/name',
    'shown',
  ],
  ['a type changes', member('note', { type: 'integer' }), '/properties/note/type', 'shown'],
  [
    'null is allowed',
    member('name', { type: ['string', 'null'] }),
    '/properties/name/type',
    'shown',
  ],
  ['null is forbidden', member('owner', { type: 'string' }), '/properties/owner/type', 'shown'],
  [
    'a word is added',
    member('kind', { enum: ['stall', 'hall', 'cart'] }),
    '/properties/kind/enum',
    'shown',
  ],
  ['a word is removed', member('kind', { enum: ['hall'] }), '/properties/kind/enum', 'shown'],
  ['a limit is narrowed', member('seats', { maximum: 400 }), '/properties/seats/maximum', 'shown'],
  ['a limit is widened', member('seats', { maximum: 501 }), '/properties/seats/maximum', 'shown'],
  [
    'a text may be longer',
    member('name', { maxLength: 101 }),
    '/properties/name/maxLength',
    'shown',
  ],
  [
    'a text must be longer',
    member('name', { minLength: 2 }),
    '/properties/name/minLength',
    'shown',
  ],
  ['a format is asked for', member('note', { format: 'uuid' }), '/properties/note/format', 'shown'],
  [
    'a pattern changes',
    member('code', { pattern: '^[A-Z]{2}$' }),
    '/properties/code/pattern',
    'shown',
  ],
  [
    'an item loses a member',
    stall({ place: { type: 'integer' } }, ['place']),
    '/properties/stalls/items/properties/isOpen',
    'shown',
  ],
  [
    'an item gets a limit',
    stall({ place: { type: 'integer', minimum: 0 }, isOpen: { type: 'boolean' } }, [
      'place',
      'isOpen',
    ]),
    '/properties/stalls/items/properties/place/minimum',
    'shown',
  ],
  [
    'no further members are allowed',
    (draft) => Object.assign(draft, { additionalProperties: false }),
    '/additionalProperties',
    'shown',
  ],
  [
    'it is sent elsewhere',
    (draft) => Object.assign(draft, { $comment: 'Sent by shops to the queue shops.' }),
    '/$comment',
    'not shown',
  ],
]

for (const [what, change, pointer, byMessages] of breaks) {
  test(`a change is refused, and named, when ${what}`, () => {
    const next = changed(change)
    assert.deepEqual(
      compareSchemas(shop, next).map((each) => each.pointer),
      [pointer],
    )
    const { faults, unpublished } = judgeContracts({ [type]: shop }, { [type]: next })
    assert.equal(faults.length, 1)
    assert.ok(faults[0]?.startsWith(`${type} ${pointer} `), faults[0])
    assert.match(faults[0] ?? '', /add halles\.shops\.shop-opened\.v2 beside it/)
    assert.deepEqual(unpublished, [])
    assert.equal(proveBySamples(shop, next).length > 0, byMessages === 'shown')
  })
}

for (const [what, change] of [
  ['a new optional member', (d) => Object.assign(d.properties, { street: { type: 'string' } })],
  [
    'a new optional member of an item',
    stall({ place: { type: 'integer' }, isOpen: { type: 'boolean' }, street: { type: 'object' } }, [
      'isOpen',
      'place',
    ]),
  ],
  ['other words for people', member('note', { description: 'For people.', title: 'Note' })],
] satisfies [string, Change][]) {
  test(`growth passes both ways, and waits to be published: ${what}`, () => {
    const next = changed(change)
    assert.deepEqual(compareSchemas(shop, next), [])
    assert.deepEqual(proveBySamples(shop, next), [])
    assert.deepEqual(judgeContracts({ [type]: shop }, { [type]: next }), {
      faults: [],
      unpublished: [{ type, says: 'has grown' }],
    })
  })
}

test('a published type that is gone is a fault; the order of words and members is none', () => {
  assert.match(judgeContracts({ [type]: shop }, {}).faults[0] ?? '', /shop-opened\.v1 is published/)
  const { kind, ...others } = shop.properties
  const reordered = {
    ...shop,
    properties: { kind: { enum: [...kind.enum].reverse(), type: kind.type }, ...others },
    required: [...shop.required].reverse(),
  }
  assert.deepEqual(judgeContracts({ [type]: shop }, { [type]: reordered }).faults, [])
})

test('publishing adds types and growth, and never overwrites what a reader depends on', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'halles-published-'))
  t.after(() => rm(folder, { recursive: true }))
  const review = (schema: JsonSchema, publish: boolean) =>
    reviewContracts(folder, { [type]: schema }, { publish })
  const stored = async () => JSON.parse(await readFile(join(folder, `${type}.json`), 'utf8'))

  const unknown = await review(shop, false)
  assert.equal(unknown.isFine, false)
  assert.match(unknown.lines[0] ?? '', /is new\. Run `npm run publish-contracts`/)
  assert.deepEqual(await readdir(folder), [])
  assert.equal((await review(shop, true)).isFine, true)
  assert.deepEqual([await stored(), await review(shop, false)], [shop, { isFine: true, lines: [] }])

  const grown = changed((d) => Object.assign(d.properties, { street: { type: 'string' } }))
  assert.equal((await review(grown, false)).isFine, false)
  assert.equal((await review(grown, true)).isFine, true)
  assert.deepEqual(await stored(), grown)

  assert.equal((await review(shop, true)).isFine, false)
  assert.deepEqual(await stored(), grown)
  await writeFile(join(folder, 'halles.shops.shop-closed.v1.json'), '{}')
  assert.match((await review(grown, false)).lines[0] ?? '', /shop-closed\.v1 is published/)
})

for (const [name, schema] of Object.entries(schemas)) {
  test(`samples of ${name} follow its schema, which is a whole document`, () => {
    const ajv = new Ajv2020({ strict: true, strictTypes: false })
    addFormats.default(ajv)
    const isValid = ajv.compile(schema)
    const samples = samplesOf(schema as JsonSchema)
    for (const sample of samples) assert.ok(isValid(sample), ajv.errorsText(isValid.errors))
    assert.ok(samples.length >= 2)
    assert.deepEqual(samples, samplesOf(schema as JsonSchema))
    const { $schema, $id, title } = schema as JsonSchema
    assert.equal($schema, 'https://json-schema.org/draft/2020-12/schema')
    assert.deepEqual([$id, title], [`https://halles.example/schemas/${name}.json`, name])
  })
}
