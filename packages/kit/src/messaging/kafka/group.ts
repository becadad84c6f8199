import { setTimeout as pause } from 'node:timers/promises'
import type { Limits } from '../../delivery.ts'
import { jitteredDelayMs } from '../../loop.ts'
import type { StartPosition } from '../../messaging.ts'
import type { Connector } from './client.ts'
import { logFault } from './errors.ts'
import { pauseUnless } from './feed.ts'
import { createMembership, type Generation, type Position } from './membership.ts'
import { createOffsets, type Note, type Offsets, parseNote, startOffsets } from './offsets.ts'
import { consumePartition, type GroupWork } from './partition.ts'
import { createReader, type Reader } from './reader.ts'
import { replaysTopic, type TopicRegistry } from './topics.ts'

/** A consumer in the background, as the adapter starts and stops it. */
export type Consumer = { ready: Promise<void>; start(): void; stop(): Promise<void> }

export type GroupOptions = Omit<GroupWork, 'inTurn'> & {
  connector: Connector
  registry: TopicRegistry
  from: StartPosition
  limits: Limits
}

// Messages in hand per group and process: more than the cores of a process gain little.
const concurrency = 4
// The shortest that brokers allow by default: after a crash the partitions wait as long.
const sessionMs = 6_000
// Members hear of a change of the group, and begin to finish, with their next heartbeat.
const heartbeatMs = 1_000
// What a member needs beside its handlers' deadline to commit and join again.
const rebalanceMarginMs = 10_000
// The broker's own outage; short, because its return should be noticed soon.
const backoff = { baseMs: 100, maxMs: 1_000 }

/** One Kafka group per topic, so that a service may use one name for several topics. */
export function toGroupId(topic: string, group: string): string {
  return `${group}.${topic}`
}

/** What one generation of the group gave to this member, at work. */
type Share = {
  generation: Generation
  isLost(): boolean
  /** Finishes what is in hand and commits, unless the partitions are lost anyway. */
  giveUp(): Promise<void>
}

/** A named group: its replicas share the partitions, each partition in strict order. */
export function createGroupConsumer(options: GroupOptions): Consumer {
  const { topic, group, connector, registry, limits, logger } = options
  const topics = [topic, replaysTopic(topic, group)]
  const link = connector.open(`group-${group}`)
  const groupId = toGroupId(topic, group)
  const rebalanceMs = limits.deadlineMs + rebalanceMarginMs
  const membership = createMembership({ link, groupId, topics, sessionMs, rebalanceMs })
  const { promise: ready, resolve: setReady } = Promise.withResolvers<void>()
  const stopping = new AbortController()
  const work: GroupWork = { ...options, inTurn: createTurns(concurrency) }
  let reader: Reader | undefined
  let isJoining = false
  let finished: Promise<void> = Promise.resolve()

  /** Where each partition goes on: as committed, or where the group is to begin. */
  async function findPositions(generation: Generation): Promise<Position[]> {
    const committed = await membership.positions(generation.partitions)
    const starts = new Map<string, bigint[]>()
    if (committed.some(({ offset }) => offset < 0n)) {
      starts.set(topic, await startOffsets(link, topic, options.from))
    }
    return committed.map((position) => {
      if (position.offset >= 0n) return position
      // What was replayed to the group before it read for the first time is its own, too.
      return {
        ...position,
        offset: starts.get(position.topic)?.[position.partition] ?? 0n,
        note: '',
      }
    })
  }

  async function begin(generation: Generation): Promise<Share> {
    const closing = new AbortController()
    let isLost = false
    function lose(): void {
      isLost = true
      closing.abort()
    }
    const offsets = createOffsets({
      commit: (positions) => membership.commit(generation, positions),
      onLost: lose,
      logger,
    })
    const starts = (await findPositions(generation)).map((position) => ({
      ...position,
      note: claim(parseNote(position.note)),
    }))
    // Known to the broker before the first message is touched: it counts as a try from here on.
    for (const { offset, note, ...place } of starts) {
      offsets.set(place, offset, { ...note, isOpen: true })
    }
    if (!(await offsets.flush()) && starts.length > 0) lose()
    reader ??= createReader(connector.open(`reader-${group}`), logger)
    const running = isLost ? [] : starts.map((start) => run(start, { offsets, closing, reader }))
    return {
      generation,
      isLost: () => isLost,
      async giveUp() {
        closing.abort()
        await Promise.all(running)
        offsets.stop()
        if (!isLost) await offsets.flush()
      },
    }
  }

  async function run(
    start: { topic: string; partition: number; offset: bigint; note: Note },
    context: { offsets: Offsets; closing: AbortController; reader: Reader | undefined },
  ): Promise<void> {
    const { offsets, closing } = context
    const feed = context.reader?.open(start)
    if (feed === undefined) return
    try {
      await consumePartition({ work, feed, offsets, start, closing: closing.signal })
    } finally {
      feed.close()
    }
  }

  /** Returns when the share is to be given up. */
  async function hold(share: Share): Promise<void> {
    let lastBeatAt = performance.now()
    while (!stopping.signal.aborted && !share.isLost()) {
      await pauseUnless(stopping.signal, heartbeatMs)
      try {
        const state = await membership.beat(share.generation)
        if (state !== 'same') return
        lastBeatAt = performance.now()
      } catch (error) {
        logFault(logger, error, 'a heartbeat failed')
        // The group may have given the partitions to others by now.
        if (performance.now() - lastBeatAt > sessionMs) return
      }
    }
  }

  /** Keeps the membership alive while the last messages in hand are finished. */
  async function giveUp(share: Share): Promise<void> {
    let isDone = false
    const done = share.giveUp().finally(() => {
      isDone = true
    })
    const beating = (async () => {
      while (!isDone) {
        await Promise.race([done, pause(heartbeatMs, undefined, { ref: false })])
        if (!isDone) await membership.beat(share.generation).catch(noteFault)
      }
    })()
    await done
    await beating
  }

  function noteFault(error: unknown): void {
    logFault(logger, error, 'a heartbeat failed')
  }

  async function takePart(): Promise<void> {
    for (const name of topics) await registry.ensure(name)
    isJoining = true
    const generation = await membership.join().finally(() => {
      isJoining = false
    })
    const share = await begin(generation)
    if (!share.isLost()) setReady()
    try {
      await hold(share)
    } finally {
      await giveUp(share)
    }
  }

  async function live(): Promise<void> {
    let failures = 0
    while (!stopping.signal.aborted) {
      try {
        await takePart()
        failures = 0
      } catch (error) {
        logFault(logger, error, 'a part in a consumer group could not be taken')
        failures += 1
        await pauseUnless(stopping.signal, jitteredDelayMs(backoff, failures))
      }
    }
  }

  async function leave(): Promise<void> {
    const other = connector.open(`leave-${group}`)
    try {
      await membership.leave(other)
    } catch (error) {
      // Then the group waits for the end of the session.
      logFault(logger, error, 'a consumer group could not be left')
    } finally {
      await other.close()
    }
  }

  return {
    ready,
    start() {
      finished = live()
    },
    async stop() {
      stopping.abort()
      // A request to join is answered when all members are there: nobody waits for that now.
      if (isJoining) await link.close()
      await finished
      await leave()
      await reader?.close()
      await link.close()
    },
  }
}

/** Who had it last and did not say how it ended made one try more than was noted. */
function claim(note: Note): Note {
  return note.isOpen ? { ...note, attempts: note.attempts + 1 } : note
}

/** Runs so many at once, the others in the order in which they came. */
function createTurns(places: number) {
  const waiting: (() => void)[] = []
  let free = places
  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (free > 0) free -= 1
    else await new Promise<void>((resolve) => waiting.push(resolve))
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next) next()
      else free += 1
    }
  }
}
