import { toSchemaUri } from '../message.ts'
import { type MessageSource, type MessagesSource, opened } from './messages.ts'
import {
  referredNames,
  type Schema,
  type SchemaObject,
  type Schemas,
  withReferences,
} from './schemas.ts'

const prefix = '#/components/schemas/'
const dayMs = 86_400_000
// CloudEvents 1.0, structured mode, in the bindings of Kafka and AMQP.
const contentType = 'application/cloudevents+json'

/** The attributes of every message: CloudEvents 1.0 with the extensions that we send. */
const envelope: SchemaObject = {
  type: 'object',
  description: 'CloudEvents 1.0 in structured JSON.',
  required: [
    ...['specversion', 'id', 'source', 'type', 'subject', 'time', 'datacontenttype'],
    ...['dataschema', 'partitionkey', 'data'],
  ],
  properties: {
    specversion: { const: '1.0' },
    id: { type: 'string', minLength: 1, description: 'Seen before: the same message again.' },
    source: { type: 'string', format: 'uri-reference' },
    type: { type: 'string' },
    subject: { type: 'string', description: 'What the message is about: the key of the channel.' },
    time: { type: 'string', format: 'date-time' },
    datacontenttype: { const: 'application/json' },
    dataschema: {
      type: 'string',
      format: 'uri',
      description: 'Any gateway serves its path: the JSON Schema of `data`.',
    },
    partitionkey: { type: 'string', description: 'Messages of one key keep their order.' },
    traceparent: { type: 'string', description: 'W3C Trace Context.' },
    correlationid: { type: 'string', description: 'The same for all that one request led to.' },
    causationid: { type: 'string', description: 'The message that led to this one.' },
    data: {},
  },
}

function addressOf({ queue, topic }: MessagesSource): string {
  return (queue ?? topic) as string
}

/** `halles.orders.order-paid.v1` as a name in the components: `order-paid.v1`. */
function nameOf({ type }: MessageSource): string {
  return type.split('.').slice(2).join('.')
}

function toChannel(source: MessagesSource): SchemaObject {
  const { queue, topic, partitions, retention, messages } = source
  const names = Object.values(messages).map(nameOf)
  const topicConfiguration =
    typeof retention === 'object'
      ? { 'cleanup.policy': ['delete'], 'retention.ms': retention.days * dayMs }
      : { 'cleanup.policy': ['compact'] }
  return {
    address: addressOf(source),
    title: addressOf(source),
    description: queue
      ? `Commands for ${source.consumers.join(', ')}, from ${source.producer}: one consumer takes each.`
      : `Events of ${source.producer}: every group of consumers sees all of them.`,
    servers: [{ $ref: `#/servers/${queue ? 'rabbitmq' : 'kafka'}` }],
    messages: Object.fromEntries(
      names.map((name) => [name, { $ref: `#/components/messages/${name}` }]),
    ),
    bindings: queue
      ? {
          amqp: {
            is: 'queue',
            queue: { name: queue, durable: true, exclusive: false, autoDelete: false, vhost: '/' },
            bindingVersion: '0.3.0',
          },
        }
      : { kafka: { topic, partitions, topicConfiguration, bindingVersion: '0.5.0' } },
  }
}

function toMessage(message: MessageSource, source: MessagesSource, names: Schemas): SchemaObject {
  const data = opened(withReferences(message.data, prefix, names))
  return {
    name: message.type,
    title: message.type,
    summary: message.summary,
    contentType,
    payload: {
      allOf: [
        { $ref: '#/components/schemas/CloudEvent' },
        {
          type: 'object',
          properties: {
            source: { const: `/halles/${source.producer}` },
            type: { const: message.type },
            dataschema: { const: toSchemaUri(message.type) },
            data,
          },
        },
      ],
    },
    bindings: source.queue
      ? { amqp: { messageType: message.type, bindingVersion: '0.3.0' } }
      : {
          kafka: {
            key: { type: 'string', description: `\`${source.key}\` of the data.` },
            bindingVersion: '0.5.0',
          },
        },
  }
}

/** What each service does with a channel: its producer sends, its consumers receive. */
function toOperations(source: MessagesSource): [string, SchemaObject][] {
  const address = addressOf(source)
  const about = (service: string, verb: string) => ({
    title: `${service} ${verb}`,
    channel: { $ref: `#/channels/${address}` },
  })
  const { producer, queue } = source
  const send = {
    action: 'send',
    ...about(producer, 'sends'),
    bindings: queue
      ? { amqp: { deliveryMode: 2, mandatory: true, bindingVersion: '0.3.0' } }
      : { kafka: { bindingVersion: '0.5.0' } },
  }
  const receives = source.consumers.map((consumer): [string, SchemaObject] => [
    `${consumer}.receives.${address}`,
    {
      action: 'receive',
      ...about(consumer, 'receives'),
      bindings: queue
        ? { amqp: { ack: true, bindingVersion: '0.3.0' } }
        : { kafka: { bindingVersion: '0.5.0' } },
    },
  ])
  return [[`${producer}.sends.${address}`, send], ...receives]
}

const servers = {
  kafka: {
    host: '{brokers}',
    protocol: 'kafka',
    description:
      'For topics. As in KAFKA_BROKERS; of a local stack, in `$HALLES_DATA/brokers.json`.',
    variables: { brokers: { default: 'localhost:9092', description: 'host:port' } },
  },
  rabbitmq: {
    host: '{broker}',
    protocol: 'amqp',
    protocolVersion: '0.9.1',
    description:
      'For queues. As in AMQP_URL. Commands are between services; nobody else sends or takes them.',
    variables: { broker: { default: 'localhost:5672', description: 'host:port' } },
  },
}

/** One AsyncAPI 3.0 document of every queue and topic. */
export function toAsyncapi(sources: readonly MessagesSource[], common: Schemas): SchemaObject {
  const names: Record<string, Schema> = { ...common }
  for (const { schemas } of sources) Object.assign(names, schemas)
  const messages = sources.flatMap((source) =>
    Object.values(source.messages).map((message) => [
      nameOf(message),
      toMessage(message, source, names),
    ]),
  )
  const used = referredNames(messages, prefix, names).map((name) => [
    name,
    opened(withReferences(names[name] as Schema, prefix, names)),
  ])
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Halles',
      version: '1',
      description:
        'The messages between the services of Halles. Events are for everybody who may read the topic; a message may come twice and is known by its id.',
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    },
    defaultContentType: contentType,
    servers,
    channels: Object.fromEntries(sources.map((source) => [addressOf(source), toChannel(source)])),
    operations: Object.fromEntries(sources.flatMap(toOperations)),
    components: {
      messages: Object.fromEntries(messages),
      schemas: { CloudEvent: envelope, ...Object.fromEntries(used) },
    },
  }
}
