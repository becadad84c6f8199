import { isIP } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import type {
  API,
  Base,
  Connection,
  createTopicsV7,
  fetchV17,
  findCoordinatorV6,
  heartbeatV4,
  initProducerIdV5,
  joinGroupV9,
  leaveGroupV5,
  listGroupsV5,
  listOffsetsV9,
  metadataV12,
  offsetCommitV9,
  offsetFetchV9,
  produceV11,
  syncGroupV5,
} from '@platformatic/kafka'
import { AppError } from '../../errors.ts'
import type { Logger } from '../../logging.ts'
import type { KafkaOptions } from '../kafka.ts'
import { messagesUnavailable, withDeadline } from '../unavailable.ts'
import { toInnermostReason, toProtocolErrors, toResponse } from './errors.ts'

export type Library = typeof import('@platformatic/kafka')

/** The requests of Kafka's protocol that the adapter makes, as the client library encodes them. */
type Requests = {
  CreateTopics: typeof createTopicsV7.api
  Fetch: typeof fetchV17.api
  FindCoordinator: typeof findCoordinatorV6.api
  Heartbeat: typeof heartbeatV4.api
  InitProducerId: typeof initProducerIdV5.api
  JoinGroup: typeof joinGroupV9.api
  LeaveGroup: typeof leaveGroupV5.api
  ListGroups: typeof listGroupsV5.api
  ListOffsets: typeof listOffsetsV9.api
  Metadata: typeof metadataV12.api
  OffsetCommit: typeof offsetCommitV9.api
  OffsetFetch: typeof offsetFetchV9.api
  Produce: typeof produceV11.api
  SyncGroup: typeof syncGroupV5.api
}
type ArgumentsOf<Request> =
  Request extends API<infer Arguments, infer _Response> ? Arguments : never
type ResponseOf<Request> =
  Request extends API<infer _Arguments, infer Response> ? Exclude<Response, boolean> : never

export type TopicInfo = {
  id: string
  /** The node that leads each partition; -1 while none does. */
  leaders: readonly number[]
}

/** Connections to the brokers of one cluster, until a fault of the network ends its life. */
export type Client = {
  readonly library: Library
  ask<Name extends keyof Requests>(
    node: number | 'any',
    name: Name,
    ...args: ArgumentsOf<Requests[Name]>
  ): Promise<ResponseOf<Requests[Name]>>
  /** From memory when known; undefined when the cluster has no such topic. */
  topic(name: string): Promise<TopicInfo | undefined>
  nodes(): Promise<readonly number[]>
  coordinator(group: string): Promise<number>
  /** What was learned about leaders and coordinators is no longer true. */
  forget(): void
}

/** A client for one purpose, made when it is needed and made anew after a fault. */
export type Link = {
  /** Throws `MESSAGES_UNAVAILABLE` for a fault of the network or an answer that takes too long. */
  use<T>(work: (client: Client) => Promise<T>, deadlineMs: number): Promise<T>
  /**
   * The same, but asks again as long as there is time: nodes fail, leaders and coordinators move.
   * Throws nothing but `MESSAGES_UNAVAILABLE` for what Kafka says.
   */
  insist<T>(work: (client: Client) => Promise<T>, deadlineMs: number): Promise<T>
  close(): Promise<void>
}

export type Connector = {
  readonly logger: Logger
  open(purpose: string): Link
}

// A broker on the same continent answers a connection attempt well within this.
const connectTimeoutMs = 3_000
// An election of leaders takes some hundred milliseconds.
const insistMs = 100
// Shorter than what a shop's operator would notice, longer than a broken connection takes to mend.
const silenceMs = 2_000
// Above every deadline of the adapter, which are what counts.
const requestTimeoutMs = 60_000

/** Opens links to the cluster. The library is loaded with the first one: 66 MB are not for free. */
export function createConnector(options: KafkaOptions): Connector {
  const { brokers, sasl, tls, service, instance, logger } = options
  let library: Promise<Library> | undefined
  let isAway = false
  let lastAnswerAt = Number.NEGATIVE_INFINITY

  // One line per change of state, however many links and rounds notice it; and none for one node
  // of several, while the others answer.
  function reportAnswer(): void {
    lastAnswerAt = performance.now()
    if (!isAway) return
    isAway = false
    logger.info({ brokers }, 'Kafka can be reached again')
  }

  function reportFault(error: unknown): void {
    if (isAway || performance.now() - lastAnswerAt < silenceMs) return
    isAway = true
    const reason = toInnermostReason(error)
    logger.warn({ err: error, reason, brokers }, 'Kafka cannot be reached')
  }

  async function connect(purpose: string): Promise<{ base: Base; client: Client }> {
    library ??= import('@platformatic/kafka')
    const loaded = await library
    const hosts = brokers.map((broker) => broker.slice(0, broker.lastIndexOf(':')))
    const base = new loaded.Base({
      clientId: `halles-${service}-${instance}-${purpose}`.replaceAll(/\s/g, '-'),
      bootstrapBrokers: [...brokers],
      connectTimeout: connectTimeoutMs,
      requestTimeout: requestTimeoutMs,
      // The adapter's own loops try again, each with its own idea of how long.
      retries: 0,
      ...(sasl && { sasl }),
      ...(tls && { tls, tlsServerName: !hosts.some((host) => isIP(host) > 0) }),
    })
    return { base, client: createClient(loaded, base) }
  }

  function open(purpose: string): Link {
    let current: ReturnType<typeof connect> | undefined
    let isClosed = false

    async function discard(connection: typeof current): Promise<void> {
      if (connection === undefined || current !== connection) return
      current = undefined
      const { base } = await connection
      await base.close()
    }

    const use: Link['use'] = async (work, deadlineMs) => {
      if (isClosed) throw messagesUnavailable(new Error('The link was closed.'))
      current ??= connect(purpose)
      const connection = current
      try {
        const result = await withDeadline(
          connection.then(({ client }) => work(client)),
          deadlineMs,
        )
        reportAnswer()
        return result
      } catch (error) {
        const names = toProtocolErrors(error)
        if (names.length > 0 && !names.includes('SASL_AUTHENTICATION_FAILED')) throw error
        if (error instanceof AppError && error.code !== 'MESSAGES_UNAVAILABLE') throw error
        // After a time-out the answer may still come, to nobody: those connections are of no use.
        // Others that broke are replaced one by one.
        const mend = isUnavailable(error)
          ? discard(connection)
          : connection.then((c) => c.client.forget())
        mend.catch((fault: unknown) => {
          logger.debug({ err: fault, purpose }, 'a connection to Kafka could not be closed')
          current = undefined
        })
        if (!isClosed) reportFault(error)
        throw error instanceof AppError ? error : messagesUnavailable(error)
      }
    }

    const insist: Link['insist'] = async (work, deadlineMs) => {
      const endsAt = performance.now() + deadlineMs
      for (;;) {
        try {
          return await use(work, endsAt - performance.now())
        } catch (error) {
          const isRefused = toProtocolErrors(error).length > 0
          if (!isRefused && !isUnavailable(error)) throw error
          if (isClosed || performance.now() + insistMs >= endsAt) {
            throw isRefused ? messagesUnavailable(error) : error
          }
          if (isRefused) await use(async (client) => client.forget(), endsAt - performance.now())
        }
        await pause(insistMs)
      }
    }

    return {
      use,
      insist,
      async close() {
        isClosed = true
        await discard(current)
      },
    }
  }

  return { logger, open }
}

function isUnavailable(error: unknown): boolean {
  return error instanceof AppError && error.code === 'MESSAGES_UNAVAILABLE'
}

type BrokerInfo = { host: string; port: number }

function createClient(library: Library, base: Base): Client {
  const brokers = new Map<number, BrokerInfo>()
  const topics = new Map<string, TopicInfo>()
  const coordinators = new Map<string, number>()

  function call<T>(
    start: (callback: (error: Error | null, payload?: T) => void) => void,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      start((error, payload) => (error ? reject(error) : resolve(payload as T)))
    })
  }

  async function connectionTo(node: number | 'any'): Promise<Connection> {
    if (node === 'any') return call((callback) => base[library.kGetBootstrapConnection](callback))
    if (!brokers.has(node)) await readMetadata([])
    const broker = brokers.get(node)
    if (broker === undefined) throw messagesUnavailable(new Error(`Node ${node} is unknown.`))
    return call((callback) => base[library.kGetConnection](broker, callback))
  }

  const ask: Client['ask'] = async (node, name, ...args) => {
    const connection = await connectionTo(node)
    const api = await call<API<unknown[], unknown>>((callback) =>
      base[library.kGetApi](name, callback),
    )
    return call((callback) => api(connection, ...args, callback as never))
  }

  async function readMetadata(names: string[]): Promise<void> {
    let response: ResponseOf<Requests['Metadata']>
    try {
      response = await ask('any', 'Metadata', names, false, false)
    } catch (error) {
      if (toProtocolErrors(error).length === 0) throw error
      response = toResponse(error)
    }
    brokers.clear()
    for (const { nodeId, host, port } of response.brokers) brokers.set(nodeId, { host, port })
    for (const { errorCode, name, topicId, partitions } of response.topics) {
      if (errorCode !== 0 || name === null || name === undefined) continue
      const leaders = partitions
        .toSorted((a, b) => a.partitionIndex - b.partitionIndex)
        .map(({ leaderId }) => leaderId)
      topics.set(name, { id: topicId, leaders })
    }
  }

  return {
    library,
    ask,
    async topic(name) {
      if (!topics.has(name)) await readMetadata([name])
      return topics.get(name)
    },
    async nodes() {
      if (brokers.size === 0) await readMetadata([])
      return [...brokers.keys()]
    },
    async coordinator(group) {
      const known = coordinators.get(group)
      if (known !== undefined) return known
      const { coordinators: found } = await ask('any', 'FindCoordinator', 0, [group])
      const { nodeId = -1 } = found[0] ?? {}
      coordinators.set(group, nodeId)
      return nodeId
    },
    forget() {
      brokers.clear()
      topics.clear()
      coordinators.clear()
    },
  }
}
