import type { TopicStats } from '../../messaging.ts'
import type { Client, Link } from './client.ts'
import { toProtocolErrors, toResponse } from './errors.ts'
import { latest, listOffsets } from './reader.ts'

const deadlineMs = 5_000
// The system page of several operators asks every few seconds.
const freshForMs = 1_000
// Of one request: an answer holds each partition of each group.
const groupsPerRequest = 100

type GroupOffsets = { topic: string; group: string; offsets: Map<number, bigint> }

/** The lag of every group in the cluster that follows one of our topics, measured about once a second. */
export function createTopicStats(link: Link): () => Promise<TopicStats[]> {
  let current: Promise<TopicStats[]> | undefined
  let measuredAt = 0
  return () => {
    const now = performance.now()
    if (current && now - measuredAt < freshForMs) return current
    measuredAt = now
    const measuring = link.insist(measure, deadlineMs).catch((error: unknown) => {
      if (current === measuring) current = undefined
      throw error
    })
    current = measuring
    return measuring
  }
}

async function measure(client: Client): Promise<TopicStats[]> {
  const groups = await listGroups(client)
  const byCoordinator = new Map<number, string[]>()
  for (const { groupId, node } of groups) {
    byCoordinator.set(node, [...(byCoordinator.get(node) ?? []), groupId])
  }
  const found: GroupOffsets[] = []
  for (const [node, ids] of byCoordinator) {
    for (let at = 0; at < ids.length; at += groupsPerRequest) {
      found.push(...(await readOffsets(client, node, ids.slice(at, at + groupsPerRequest))))
    }
  }
  const ends = new Map<string, bigint[]>()
  for (const topic of new Set(found.map(({ topic }) => topic))) {
    ends.set(topic, await listOffsets(client, topic, latest))
  }
  return found
    .map(({ topic, group, offsets }) => ({ topic, group, lag: toLag(offsets, ends.get(topic)) }))
    .sort((a, b) => a.topic.localeCompare(b.topic) || a.group.localeCompare(b.group))
}

function toLag(offsets: ReadonlyMap<number, bigint>, ends: readonly bigint[] = []): number {
  let lag = 0
  for (const [partition, offset] of offsets) {
    const behind = (ends[partition] ?? offset) - offset
    if (behind > 0n) lag += Number(behind)
  }
  return lag
}

/** Each node knows the groups that it coordinates. */
async function listGroups(client: Client): Promise<{ groupId: string; node: number }[]> {
  const nodes = await client.nodes()
  const answers = await Promise.all(
    nodes.map(async (node) => {
      const { groups } = await client.ask(node, 'ListGroups', [], [])
      return groups.map(({ groupId }) => ({ groupId, node }))
    }),
  )
  return answers.flat()
}

async function readOffsets(
  client: Client,
  node: number,
  groupIds: readonly string[],
): Promise<GroupOffsets[]> {
  const wanted = groupIds.map((groupId) => ({ groupId, memberEpoch: -1, topics: null }))
  type Partition = { partitionIndex: number; committedOffset: bigint }
  type Group = { groupId: string; topics: { name: string; partitions: Partition[] }[] }
  let groups: Group[]
  try {
    groups = (await client.ask(node, 'OffsetFetch', wanted, false)).groups
  } catch (error) {
    // One of the groups vanished in the meantime.
    if (toProtocolErrors(error).length === 0) throw error
    groups = toResponse<{ groups: Group[] }>(error).groups
  }
  return groups.flatMap(({ groupId, topics }) =>
    topics
      // The name of a group of ours ends with that of its topic; see toGroupId.
      .filter(({ name }) => groupId.endsWith(`.${name}`))
      .map(({ name: topic, partitions }) => ({
        topic,
        group: groupId.slice(0, -topic.length - 1),
        offsets: new Map(
          partitions.map(({ partitionIndex, committedOffset }) => [
            partitionIndex,
            committedOffset,
          ]),
        ),
      })),
  )
}
