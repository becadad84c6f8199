import type { Message } from './messaging.ts'
import type { SpanFacts } from './spans.ts'

// Attributes by the semantic conventions 1.45 of OpenTelemetry. `url.full`, `url.path` and
// `url.query`, which they ask for too, hold ids that open carts and orders, so routes stand for them;
// the subject of a message may be a person.

/** Of a request served. @param served.route the path pattern; undefined where none matched. */
export function httpServerFacts(served: {
  method: string
  route: string | undefined
  status: number
  attributes?: SpanFacts['attributes']
}): SpanFacts {
  const { method, route, status } = served
  return {
    name: route === undefined ? method : `${method} ${route}`,
    attributes: {
      'http.request.method': method,
      'http.route': route,
      'http.response.status_code': status,
      ...served.attributes,
    },
    ...(status >= 500 && { errorType: String(status) }),
  }
}

/** Of a request sent. @param sent.peer who is called; `failure` is why there is no whole answer. */
export function httpClientFacts(sent: {
  method: string
  peer: string
  /** The instance: `host:port`, or a URL of no more than that. */
  address: string
  /** The path pattern, where whoever calls knows it. */
  template?: string | undefined
  status: number | undefined
  failure?: string | undefined
}): SpanFacts {
  const { method, peer, address, template, status, failure } = sent
  const errorType = failure ?? (status !== undefined && status >= 400 ? String(status) : undefined)
  return {
    name: `${method} ${template ?? peer}`,
    attributes: {
      'http.request.method': method,
      'service.peer.name': peer,
      ...serverOf(address),
      'url.template': template,
      'http.response.status_code': status,
    },
    errorType,
  }
}

function serverOf(address: string): SpanFacts['attributes'] {
  const [, host, port] = /^(?:\w+:\/\/)?(.*?)(?::(\d+))?$/.exec(address) ?? []
  return { 'server.address': host, ...(port !== undefined && { 'server.port': Number(port) }) }
}

// Statuses that blame the server; the others are answers. For a caller every one but OK is an error.
const grpcFaults = new Set([
  'UNKNOWN',
  'DEADLINE_EXCEEDED',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
])

/** Of a unary call. @param call.path `/package.Service/Method`; `code` is the status name. */
export function grpcFacts(call: {
  side: 'client' | 'server'
  path: string
  code: string
  peer?: string
  attributes?: SpanFacts['attributes']
}): SpanFacts {
  const { side, path, code, peer, attributes } = call
  const method = path.slice(1)
  const isFault = side === 'client' ? code !== 'OK' : grpcFaults.has(code)
  return {
    name: method,
    attributes: {
      'rpc.system.name': 'grpc',
      'rpc.method': method,
      'rpc.response.status_code': code,
      'service.peer.name': peer,
      ...attributes,
    },
    ...(isFault && { errorType: code }),
  }
}

/** Of a message that was published or handled. @param about.name its queue or topic. */
export function messageFacts(about: {
  operation: 'send' | 'process'
  name: string
  message: Message
  /** Absent where the way to the broker is not known. */
  system?: string | undefined
  attempt?: number
  errorType?: string | undefined
}): SpanFacts {
  const { operation, name, message, system, attempt, errorType } = about
  return {
    name: `${operation} ${name}`,
    attributes: {
      'messaging.system': system,
      'messaging.operation.type': operation,
      'messaging.operation.name': operation,
      'messaging.destination.name': name,
      'messaging.message.id': message.id,
      'messaging.message.conversation_id': message.correlationid,
      'cloudevents.event_type': message.type,
      'cloudevents.event_source': message.source,
      'halles.attempt': attempt,
    },
    errorType,
  }
}
