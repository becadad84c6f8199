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

/** A message to send: CloudEvents 1.0 with the partitioning and tracing extensions. */
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
    partitionkey: string
    data: Data
  }
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
      partitionkey: key,
      data,
    },
  }
}
