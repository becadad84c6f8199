import { inlined, type Schema, type SchemaObject, type Schemas, toTypescript } from './schemas.ts'

export type MessagesSource = {
  producer: string
  queue?: string
  topic?: string
  /** Of a topic: how it is kept. */
  partitions?: number
  retention?: 'compacted' | { days: number }
  consumer?: string
  key: string
  schemas?: Schemas
  messages: Record<string, { type: string; summary: string; data: Schema }>
}

/** A reader ignores members that it does not know, so that a new one keeps the version. */
function opened(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(opened)
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value).filter(
    ([k, v]) => k !== 'additionalProperties' || v !== false,
  )
  return Object.fromEntries(members.map(([k, v]) => [k, opened(v)]))
}

/** The module of one producer: the data types and, as data, what is known of each message. */
export async function toMessagesModule(source: MessagesSource, common: Schemas): Promise<string> {
  const names = { ...common, ...source.schemas }
  const address = source.queue
    ? { kind: 'queue', name: source.queue }
    : { kind: 'topic', name: source.topic }
  const types: Record<string, Schema> = { ...source.schemas }
  const constants: string[] = []
  for (const [name, message] of Object.entries(source.messages)) {
    const data = typeof message.data === 'string' ? message.data : `${name}Data`
    if (typeof message.data !== 'string') types[data] = message.data
    const schema = opened(inlined(message.data, names)) as SchemaObject
    if (!(source.key in (schema.properties as object))) {
      throw new Error(`${message.type} has no property “${source.key}” to be keyed by.`)
    }
    const { type, summary } = message
    const contract = { type, producer: source.producer, address, key: source.key, summary, schema }
    const variable = name.charAt(0).toLowerCase() + name.slice(1)
    constants.push(
      `export const ${variable}: MessageContract<${data}> = ${JSON.stringify(contract, null, 2)}`,
    )
  }
  return [
    "import type { MessageContract } from '../../src/message.ts'",
    await toTypescript(types, names),
    `export const address = ${JSON.stringify(address)} as const`,
    ...constants,
  ].join('\n')
}

/** The module of all topics: how each is kept, for who creates them. */
export function toTopicsModule(sources: readonly MessagesSource[]): string {
  const topics = sources.flatMap(({ topic, partitions, retention }) => {
    if (topic === undefined) return []
    if (partitions === undefined || retention === undefined) {
      throw new Error(`${topic} does not say its partitions and its retention.`)
    }
    return [[topic, { partitions, retention }] as const]
  })
  const settings = JSON.stringify(Object.fromEntries(topics), null, 2)
  return `export const topics = ${settings} as const`
}
