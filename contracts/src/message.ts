/** What is known of a message: its type, who sends it where, and the schema of its data. */
export type MessageContract<Data> = {
  /** CloudEvents `type`, with its version. */
  type: string
  producer: string
  address: { kind: 'queue' | 'topic'; name: string }
  /** The property of the data that orders messages among themselves. */
  key: string
  summary: string
  /** JSON Schema of the data. */
  schema: object
  /** Only for the compiler: the type of the data. */
  readonly data?: Data
}

/** What the encrypted member `sealed` of a message's data holds once it is opened. */
export type SealedContract<Data> = {
  /** JSON Schema of the content. */
  schema: object
  /** Only for the compiler: the type of the content. */
  readonly data?: Data
}

/** A message to send: CloudEvents 1.0; the outbox adds the tracing extensions. */
export type OutgoingMessage<Data = unknown> = {
  address: { kind: 'queue' | 'topic'; name: string }
  message: {
    specversion: '1.0'
    id: string
    source: string
    type: string
    subject: string
    time: string
    datacontenttype: 'application/json'
    dataschema: string
    partitionkey: string
    data: Data
  }
}

/**
 * The name of the schema of a type's data: CloudEvents wants `dataschema` to be an absolute URI, the
 * same one wherever the platform runs, so its host is one that is reserved (RFC 2606) and nobody's.
 * To read the schema, ask any gateway for the path, `/schemas/<type>.json`; it is also the `$id` in
 * `contracts/published/<type>.json`.
 */
export function toSchemaUri(type: string): string {
  return `https://halles.example/schemas/${type}.json`
}

/**
 * Builds a message in its CloudEvents 1.0 envelope, addressed.
 * `id` is a UUIDv7 and `at` the moment of the fact, both taken by the use case.
 */
export function createMessage<Data>(
  contract: MessageContract<Data>,
  data: Data,
  { id, at }: { id: string; at: Date },
): OutgoingMessage<Data> {
  const key = String((data as Record<string, unknown>)[contract.key])
  return {
    address: contract.address,
    message: {
      specversion: '1.0',
      id,
      source: `/halles/${contract.producer}`,
      type: contract.type,
      subject: key,
      time: at.toISOString(),
      datacontenttype: 'application/json',
      dataschema: toSchemaUri(contract.type),
      partitionkey: key,
      data,
    },
  }
}
