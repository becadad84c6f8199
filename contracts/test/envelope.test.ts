import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { Ajv } from 'ajv'
import addFormats from 'ajv-formats'
import { schemas } from '../gen/schemas.ts'
import type { JsonSchema } from '../src/compatibility/compare.ts'
import { samplesOf } from '../src/compatibility/samples.ts'
import { createMessage, type MessageContract } from '../src/message.ts'

// What the JSON Schema of CloudEvents 1.0 says of the attributes that we use.
const text = { type: 'string', minLength: 1 }
const cloudEvent = {
  type: 'object',
  required: ['id', 'source', 'specversion', 'type'],
  properties: {
    id: text,
    source: { ...text, format: 'uri-reference' },
    specversion: { const: '1.0' },
    type: text,
    datacontenttype: text,
    dataschema: { ...text, format: 'uri' },
    subject: text,
    time: { ...text, format: 'date-time' },
    data: {},
    data_base64: { type: 'string' },
  },
  // An extension is a short name in lower case, and a simple value.
  propertyNames: { pattern: '^([a-z0-9]{1,20}|data_base64)$' },
  additionalProperties: { type: ['string', 'boolean', 'integer'] },
}
const origin = {
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  correlationid: '0af7651916cd43dd8448eb211c80319c',
  causationid: '019a0000-0000-7000-8000-000000000000',
}

const ajv = new Ajv({ strict: true, allowUnionTypes: true })
addFormats.default(ajv)
const isCloudEvent = ajv.compile(cloudEvent)

const folder = join(import.meta.dirname, '../gen/messages')
const modules = await Promise.all((await readdir(folder)).map((name) => import(join(folder, name))))
const contracts = modules
  .flatMap((module) => Object.values<object>(module))
  .filter((value): value is MessageContract<unknown> => 'type' in value && 'producer' in value)

test('every message type has a schema, and no other', () => {
  assert.deepEqual(contracts.map(({ type }) => type).sort(), Object.keys(schemas).sort())
})

for (const contract of contracts) {
  test(`${contract.type} travels in a valid CloudEvent that names its schema`, () => {
    const [data] = samplesOf(contract.schema as JsonSchema)
    const change = { id: '019a0000-0000-7000-8000-000000000001', at: new Date(0) }
    const { message } = createMessage(contract, data, change)
    for (const event of [message, { ...message, ...origin }]) {
      assert.ok(isCloudEvent(event), ajv.errorsText(isCloudEvent.errors))
    }
    const published = schemas[contract.type] as JsonSchema
    assert.equal(message.dataschema, published.$id)
    assert.equal(new URL(message.dataschema).pathname, `/schemas/${contract.type}.json`)
  })
}

for (const [fault, change] of [
  ['a schema without a host', { dataschema: '/schemas/a.json' }],
  ['no id', { id: undefined }],
  ['another version', { specversion: '0.3' }],
  ['an extension in camel case', { correlationId: 'a' }],
  ['an extension that is an object', { causation: {} }],
  ['a time that is none', { time: 'today' }],
] as const) {
  test(`a CloudEvent with ${fault} would be refused`, () => {
    const contract = contracts[0]
    assert.ok(contract)
    const [data] = samplesOf(contract.schema as JsonSchema)
    const { message } = createMessage(contract, data, { id: 'a', at: new Date(0) })
    assert.equal(isCloudEvent(JSON.parse(JSON.stringify({ ...message, ...change }))), false)
  })
}
