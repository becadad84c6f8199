import { toSchemaUri } from '../message.ts'
import { inlined, type Schema, type SchemaObject, type Schemas, toTypescript } from './schemas.ts'

export type MessagesSource = {
  producer: string
  queue?: string
  topic?: string
  /** Of a topic: how it is kept. */
  partitions?: number
  retention?: 'compacted' | { days: number }
  /** A queue has one, a topic any number. */
  consumers: string[]
  key: string
  schemas?: Schemas
  messages: Record<string, MessageSource>
}

export type MessageSource = {
  type: string
  summary: string
  data: Schema
  /** Name of the schema of what the member `sealed` of the data holds, encrypted. */
  sealed?: string
}

/** A reader ignores members that it does not know, so that a new one keeps the version. */
export function opened(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(opened)
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value).filter(
    ([k, v]) => k !== 'additionalProperties' || v !== false,
  )
  return Object.fromEntries(members.map(([k, v]) => [k, opened(v)]))
}

/** The JSON Schema of a message's data as a reader applies it. */
function toDataSchema(message: MessageSource, names: Schemas): SchemaObject {
  const schema = opened(inlined(message.data, names)) as SchemaObject
  if (message.sealed === undefined) return schema
  const { sealed, ...others } = schema.properties as Record<string, SchemaObject>
  if (!sealed) throw new Error(`${message.type} has no property “sealed” to hold what is secret.`)
  const contentSchema = opened(inlined(message.sealed, names))
  return { ...schema, properties: { ...others, sealed: { ...sealed, contentSchema } } }
}

function toAddress({ queue, topic }: MessagesSource) {
  return queue ? { kind: 'queue', name: queue } : { kind: 'topic', name: topic }
}

/** The module of one producer: the data types and, as data, what is known of each message. */
export async function toMessagesModule(source: MessagesSource, common: Schemas): Promise<string> {
  const names = { ...common, ...source.schemas }
  const address = toAddress(source)
  const types: Record<string, Schema> = { ...source.schemas }
  const constants: string[] = []
  for (const [name, message] of Object.entries(source.messages)) {
    const data = typeof message.data === 'string' ? message.data : `${name}Data`
    if (typeof message.data !== 'string') types[data] = message.data
    const schema = toDataSchema(message, names)
    if (!(source.key in (schema.properties as object))) {
      throw new Error(`${message.type} has no property “${source.key}” to be keyed by.`)
    }
    const { type, summary } = message
    const contract = { type, producer: source.producer, address, key: source.key, summary, schema }
    const variable = name.charAt(0).toLowerCase() + name.slice(1)
    constants.push(
      `export const ${variable}: MessageContract<${data}> = ${JSON.stringify(contract, null, 2)}`,
    )
    if (message.sealed === undefined) continue
    const sealed = { schema: opened(inlined(message.sealed, names)) }
    constants.push(
      `export const ${variable}Sealed: SealedContract<${message.sealed}> = ${JSON.stringify(sealed, null, 2)}`,
    )
  }
  const used = Object.values(source.messages).some(({ sealed }) => sealed !== undefined)
    ? 'MessageContract, SealedContract'
    : 'MessageContract'
  return [
    `import type { ${used} } from '../../src/message.ts'`,
    await toTypescript(types, names),
    `export const address = ${JSON.stringify(address)} as const`,
    ...constants,
  ].join('\n')
}

/** The module of all topics, how each is kept for who creates them, and of all queues. */
export function toTopicsModule(sources: readonly MessagesSource[]): string {
  const topics = sources.flatMap(({ topic, partitions, retention }) => {
    if (topic === undefined) return []
    if (partitions === undefined || retention === undefined) {
      throw new Error(`${topic} does not say its partitions and its retention.`)
    }
    return [[topic, { partitions, retention }] as const]
  })
  const settings = JSON.stringify(Object.fromEntries(topics), null, 2)
  const queues = sources.flatMap(({ queue }) => queue ?? [])
  return [
    `export const topics = ${settings} as const`,
    `export const queues = ${JSON.stringify(queues)} as const`,
  ].join('\n')
}

/**
 * The module of every message's schema as a complete document, by its type: what is published, and
 * served to whoever meets its name in a message. `$comment` holds what a reader depends on besides.
 */
export function toSchemasModule(sources: readonly MessagesSource[], common: Schemas): string {
  const documents = sources.flatMap((source) =>
    Object.values(source.messages).map((message) => {
      const { kind, name } = toAddress(source)
      const document = {
        $schema: 'https://json-schema.org/draft/2020-12/schema',
        $id: toSchemaUri(message.type),
        $comment: `Sent by ${source.producer} to the ${kind} ${name}, in order per ${source.key}.`,
        title: message.type,
        ...toDataSchema(message, { ...common, ...source.schemas }),
        description: message.summary,
      }
      return [message.type, document] as const
    }),
  )
  const schemas = JSON.stringify(Object.fromEntries(documents), null, 2)
  return `export const schemas: Readonly<Record<string, object>> = ${schemas}`
}
