/**
 * A CloudEvents 1.0 envelope in structured JSON form. `id` is unique per message and is what an
 * inbox remembers; `partitionkey` is what order is kept by.
 */
export type Message<Data = unknown> = {
  specversion: '1.0'
  id: string
  source: string
  type: string
  subject: string
  time: string
  datacontenttype: 'application/json'
  dataschema?: string
  partitionkey: string
  traceparent?: string
  correlationid?: string
  causationid?: string
  data: Data
}

/** A queue has one consuming service, a topic any number of groups. */
export type Address = { kind: 'queue' | 'topic'; name: string }

/** A message and where it goes. */
export type Outgoing = { address: Address; message: Message }

export type Publisher = {
  /**
   * Resolves once every item is stored durably by the broker, in the order given per key.
   * Throws `MESSAGES_UNAVAILABLE`; then any part of the items may or may not be stored.
   */
  publish(items: readonly Outgoing[]): Promise<void>
}

/** One try at a message. `signal` aborts when the time for it is over or the process stops. */
export type Delivery<Data = unknown> = {
  message: Message<Data>
  /** 1 for the first try. */
  attempt: number
  signal: AbortSignal
}

/**
 * Resolves after the effect is committed; only then is the message done with. What it throws
 * decides by `errorTable`: retry with back-off, or dead letter.
 */
export type Handler = (delivery: Delivery) => Promise<void>

/** Delay before try n: random up to `min(maxMs, baseMs · 2^(n-1))`, at least half of it. */
export type Backoff = { baseMs: number; maxMs: number }

type ConsumerOptions = {
  handler: Handler
  /** Tries in all before the message becomes a dead letter. Outages do not count, see `outageMs`. */
  maxAttempts?: number
  backoff?: Backoff
  /**
   * How long a message is retried while the handler throws `unavailable`: then the message is not
   * at fault and would be lost to every outage longer than the tries. Default 24 hours.
   */
  outageMs?: number
  /** How long one try may take. */
  deadlineMs?: number
}

export type QueueConsumer = ConsumerOptions & {
  queue: string
  /** Messages in hand at once in this process. Default 10. */
  prefetch?: number
}

/** Where a group without a position, or a private subscription, begins. */
export type StartPosition = 'start' | 'end' | { sinceMs: number }

export type TopicSubscriber = ConsumerOptions & {
  topic: string
  /** Replicas of one group share the topic; without a group, this process gets every message. */
  group?: string
  from: StartPosition
}

export type Subscription = {
  /** Resolves when the broker knows of it: what is published from now on will arrive. */
  ready: Promise<void>
  /** Takes no new message, waits for those in hand within the bound of `stop`, gives back the rest. */
  stop(): Promise<void>
}

/** One failed try. */
export type Failure = { at: string; attempt: number; code: string; reason: string }

/** A dead letter as it is listed: without the data, which may be personal. */
export type DeadLetterSummary = {
  id: string
  address: Address
  /** The topic's group that could not apply it. */
  group?: string
  /** The service whose handler failed. */
  service: string
  message: Omit<Message, 'data'>
  attempts: number
  code: string
  reason: string
  failedAt: string
}

export type DeadLetter = Omit<DeadLetterSummary, 'message'> & {
  message: Message
  /** The last tries, oldest first. */
  history: readonly Failure[]
}

export type DeadLetterFilter = {
  limit: number
  cursor?: string
  service?: string
  type?: string
  failedBefore?: Date
  failedAfter?: Date
}

export type DeadLetters = {
  /** Newest first. */
  list(
    filter: DeadLetterFilter,
  ): Promise<{ items: DeadLetterSummary[]; nextCursor: string | undefined }>
  /** Throws `DEAD_LETTER_NOT_FOUND`, as do the next two. */
  get(id: string): Promise<DeadLetter>
  /** Gives it back to its queue, or to the one group of the topic that failed on it. */
  replay(id: string): Promise<void>
  discard(id: string, reason: string): Promise<void>
}

export type QueueStats = {
  queue: string
  /** Messages that wait for a consumer; also those in hand where `inFlight` is told. */
  depth: number
  /** Absent where the broker does not tell, as the next one. */
  inFlight?: number
  oldestAgeSeconds?: number
}

export type TopicStats = { topic: string; group: string; lag: number }

export type MessagingStats = {
  queues: readonly QueueStats[]
  topics: readonly TopicStats[]
  deadLetters: number
}

/** How a topic is kept by the broker. */
export type TopicSettings = {
  /** How many replicas of one group can share the work; order is kept within a partition. */
  partitions: number
  /** The newest message of each key for ever, or every message for some days. */
  retention: 'compacted' | { days: number }
}

export type TopicReplay = {
  topic: string
  /** Called once per message that does not fail, in order per key. */
  handler: Handler
  /** How long one try may take. */
  deadlineMs?: number
  signal?: AbortSignal
}

type Part = {
  publisher: Publisher
  deadLetters: DeadLetters
  stats(): Promise<MessagingStats>
  /** Begins to consume; a broker that is away is waited for in the background. */
  start(): Promise<void>
  /** Drains within the adapter's bound and closes its connections. */
  stop(): Promise<void>
}

/** Commands: what a broker of queues has to offer. Its publisher takes queue addresses alone. */
export type Queues = Part & {
  /** Competing consumers: a message goes to one of them, and to another one if that fails. */
  consumeQueue(consumer: QueueConsumer): Subscription
}

/** Events: what a broker of topics has to offer. Its publisher takes topic addresses alone. */
export type Topics = Part & {
  /** Named groups with a position of their own, order per key, replay from the start. */
  subscribeTopic(subscriber: TopicSubscriber): Subscription
  /**
   * Reads what the topic holds now, once, from its start to its present end, beside every group:
   * to rebuild what a group feeds. Returns the number of messages. Throws `REPLAY_FAILED` when the
   * handler goes on failing, `MESSAGES_UNAVAILABLE` when the broker is away.
   */
  replayTopic(replay: TopicReplay): Promise<number>
}

/** The port to the broker, or to both of them. Every adapter passes `test/messaging/contract.ts`. */
export type Messaging = Queues & Topics & { readonly name: 'messaging' }
