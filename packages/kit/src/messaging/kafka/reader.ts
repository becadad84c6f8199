import { setTimeout as pause } from 'node:timers/promises'
import type { fetchV17 } from '@platformatic/kafka'
import type { Logger } from '../../logging.ts'
import { jitteredDelayMs } from '../../loop.ts'
import type { Client, Link } from './client.ts'
import { logFault, toProtocolErrors, toResponse } from './errors.ts'
import { createFeed, type Feed, type Inlet, type Place } from './feed.ts'

export type Reader = {
  /** Reads the partition from that offset on, until the feed or the reader is closed. */
  open(place: Place): Feed
  close(): Promise<void>
}

/** Times of {@link listOffsets} that are none. */
export const earliest = -2n
export const latest = -1n

const partitionBytes = 256 * 1_024
const requestBytes = 4 * 1_024 * 1_024
// How long a broker holds a request for which it has nothing yet.
const longPollMs = 500
// The same while other partitions of the node have enough at hand and will be hungry soon.
const shortPollMs = 20
const fetchDeadlineMs = 5_000
const backoff = { baseMs: 100, maxMs: 1_000 }
const offsetOutOfRange = 1

/**
 * The offset of each partition of a topic by time: of the first record not older than that many
 * milliseconds since 1970 (-1 where there is none), or {@link earliest}, or {@link latest}.
 */
export async function listOffsets(client: Client, topic: string, time: bigint): Promise<bigint[]> {
  const info = await client.topic(topic)
  if (info === undefined) return []
  const { leaders } = info
  const byLeader = Map.groupBy(leaders.keys(), (partition) => leaders[partition] ?? -1)
  const offsets: bigint[] = []
  async function askLeader(leader: number, indexes: readonly number[]): Promise<void> {
    const partitions = indexes.map((partitionIndex) => ({
      partitionIndex,
      currentLeaderEpoch: -1,
      timestamp: time,
    }))
    const response = await client.ask(leader, 'ListOffsets', -1, 0, [{ name: topic, partitions }])
    for (const { partitionIndex, offset } of response.topics[0]?.partitions ?? []) {
      offsets[partitionIndex] = offset
    }
  }
  try {
    await Promise.all([...byLeader].map(([leader, indexes]) => askLeader(leader, indexes)))
  } catch (error) {
    client.forget()
    throw error
  }
  return offsets
}

/** Reads partitions from the nodes that lead them, each node by requests of its own. */
export function createReader(link: Link, logger: Logger): Reader {
  const feeds = new Set<Inlet>()
  const routes = new Map<Inlet, number>()
  const pumps = new Map<number, Promise<void>>()
  let isClosed = false
  let wakeUp = Promise.withResolvers<void>()

  function wake(): void {
    wakeUp.resolve()
    wakeUp = Promise.withResolvers()
  }

  async function findLeaders(some: readonly Inlet[]): Promise<void> {
    await link.use(async (client) => {
      for (const feed of some) {
        const info = await client.topic(feed.topic)
        const leader = info?.leaders[feed.partition] ?? -1
        if (leader < 0) client.forget()
        // It may have been closed while the cluster was asked.
        else if (feeds.has(feed)) routes.set(feed, leader)
      }
    }, fetchDeadlineMs)
  }

  /** Keeps every partition with the node that leads it. */
  async function run(): Promise<void> {
    let failures = 0
    while (!isClosed) {
      const homeless = [...feeds].filter((feed) => !routes.has(feed))
      if (homeless.length === 0) {
        failures = 0
        await wakeUp.promise
        continue
      }
      try {
        await findLeaders(homeless)
      } catch (error) {
        logFault(logger, error, 'the leaders of partitions could not be found')
      }
      for (const node of new Set(routes.values())) {
        // Not at once: a pump that has nothing to do takes itself out of the map, and must be in it.
        if (!pumps.has(node)) pumps.set(node, Promise.resolve(node).then(pump))
      }
      if (homeless.every((feed) => routes.has(feed))) continue
      failures += 1
      await pause(jitteredDelayMs(backoff, failures))
    }
  }

  /** Reads from one node as long as it leads something. */
  async function pump(node: number): Promise<void> {
    while (!isClosed) {
      const mine = [...feeds].filter((feed) => routes.get(feed) === node)
      if (mine.length === 0) break
      const hungry = mine.filter((feed) => feed.isHungry())
      if (hungry.length === 0) {
        await wakeUp.promise
        continue
      }
      const waitMs = hungry.length < mine.length ? shortPollMs : longPollMs
      try {
        await link.use((client) => fetchOnce(client, node, { hungry, waitMs }), fetchDeadlineMs)
      } catch (error) {
        if (isClosed) break
        logFault(logger, error, 'reading from a broker failed')
        // Until other nodes lead its partitions, the way back to it is known and leads nowhere.
        await pause(jitteredDelayMs(backoff, 2))
        reroute(mine)
      }
    }
    pumps.delete(node)
  }

  function reroute(some: readonly Inlet[]): void {
    for (const feed of some) routes.delete(feed)
    wake()
  }

  async function fetchOnce(
    client: Client,
    node: number,
    { hungry, waitMs }: { hungry: readonly Inlet[]; waitMs: number },
  ): Promise<void> {
    const topics = new Map<string, string>()
    for (const { topic } of hungry) {
      const info = await client.topic(topic)
      topics.set(topic, info?.id ?? '')
    }
    const positions = new Map(hungry.map((feed) => [feed, feed.position()]))
    const request = [...topics].map(([topic, topicId]) => ({
      topicId,
      partitions: hungry
        .filter((feed) => feed.topic === topic)
        .map((feed) => ({
          partition: feed.partition,
          currentLeaderEpoch: -1,
          fetchOffset: feed.position(),
          lastFetchedEpoch: -1,
          partitionMaxBytes: partitionBytes,
        })),
    }))
    let response: fetchV17.FetchResponse
    try {
      // Session 0 in epoch -1: no session, every request says all that it wants.
      const limits = [waitMs, 1, requestBytes] as const
      response = await client.ask(node, 'Fetch', ...limits, 0, 0, -1, request, [], '')
    } catch (error) {
      if (toProtocolErrors(error).length === 0) throw error
      response = toResponse(error)
    }
    const lost: Inlet[] = []
    for (const [feed, position] of positions) {
      // Closed in the meantime.
      if (!feeds.has(feed) || feed.position() !== position) continue
      const found = response.responses
        .find(({ topicId }) => topicId === topics.get(feed.topic))
        ?.partitions.find(({ partitionIndex }) => partitionIndex === feed.partition)
      if (found?.errorCode === 0) feed.push(found.records ?? [])
      else if (found?.errorCode === offsetOutOfRange) await moveIntoRange(client, feed)
      else if (found || response.errorCode !== 0) lost.push(feed)
    }
    if (lost.length === 0) return
    client.forget()
    reroute(lost)
    // An election of leaders takes a while.
    await pause(backoff.baseMs)
  }

  /** What comes next is gone: the topic's retention was shorter than the absence of its reader. */
  async function moveIntoRange(client: Client, feed: Inlet): Promise<void> {
    const { topic, partition } = feed
    const offsets = await listOffsets(client, topic, earliest)
    const fields = { topic, partition, offset: Number(feed.position()) }
    logger.error(fields, 'messages were no longer in the topic when they were to be read')
    feed.restartAt(offsets[partition] ?? 0n)
  }

  const running = run()
  return {
    open(place) {
      const feed = createFeed(place, {
        onHungry: wake,
        onClose() {
          feeds.delete(feed)
          routes.delete(feed)
          wake()
        },
      })
      feeds.add(feed)
      wake()
      return feed
    },
    async close() {
      isClosed = true
      wake()
      await link.close()
      await Promise.all([running, ...pumps.values()])
    },
  }
}
