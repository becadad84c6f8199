import type { joinGroupV9 } from '@platformatic/kafka'
import type { Client, Library, Link } from './client.ts'
import { toProtocolErrors, toResponse } from './errors.ts'

/** How far a partition was handled, with a note that the broker keeps beside it. */
export type Position = { topic: string; partition: number; offset: bigint; note: string }

/** The partitions of one member for as long as the group's members stay the same. */
export type Generation = {
  id: number
  memberId: string
  partitions: readonly { topic: string; partition: number }[]
}

export type Membership = {
  /** Waits until all members have given up what they had, and gets a share. */
  join(): Promise<Generation>
  /** Tells whether the group goes on as it is. */
  beat(generation: Generation): Promise<'same' | 'rebalance' | 'lost'>
  positions(partitions: Generation['partitions']): Promise<Position[]>
  /** False when the partitions belong to others by now. */
  commit(generation: Generation, positions: readonly Position[]): Promise<boolean>
  /** By another link: the membership's own may be waiting to join. */
  leave(link: Link): Promise<void>
}

export type MembershipOptions = {
  link: Link
  groupId: string
  topics: readonly string[]
  /** How long the group waits for a sign of life before it takes a member's partitions away. */
  sessionMs: number
  /** How long the group waits for a member to finish what it has in hand. */
  rebalanceMs: number
}

const protocolType = 'consumer'
// As old clients call it, so that tools can read the assignment.
const protocolName = 'roundrobin'
const deadlineMs = 3_000
/** Membership or generation are gone: others have the partitions. */
const lost = new Set(['ILLEGAL_GENERATION', 'UNKNOWN_MEMBER_ID', 'FENCED_INSTANCE_ID'])
const wrongNode = new Set([
  ...['NOT_COORDINATOR', 'COORDINATOR_NOT_AVAILABLE', 'COORDINATOR_LOAD_IN_PROGRESS'],
])

/**
 * Membership of a consumer group by the classic protocol, request by request: the client library's
 * own consumer rejoins at once when the group changes, which leaves no time to finish and commit.
 */
export function createMembership(options: MembershipOptions): Membership {
  const { link, groupId, topics, sessionMs, rebalanceMs } = options
  let memberId = ''

  async function withCoordinator<T>(
    work: (client: Client, node: number) => Promise<T>,
    limitMs = deadlineMs,
  ): Promise<T> {
    return link.use(async (client) => {
      try {
        return await work(client, await client.coordinator(groupId))
      } catch (error) {
        const names = toProtocolErrors(error)
        if (names.some((name) => wrongNode.has(name))) client.forget()
        if (names.includes('UNKNOWN_MEMBER_ID')) memberId = ''
        throw error
      }
    }, limitMs)
  }

  async function askToJoin(client: Client, node: number): Promise<joinGroupV9.JoinGroupResponse> {
    const { encodeConsumerProtocolSubscription } = client.library
    const metadata = encodeConsumerProtocolSubscription({ version: 1, topics: [...topics] })
    const protocols = [{ name: protocolName, metadata }]
    const times = [sessionMs, rebalanceMs] as const
    const request = () =>
      client.ask(node, 'JoinGroup', groupId, ...times, memberId, null, protocolType, protocols)
    try {
      return await request()
    } catch (error) {
      if (!toProtocolErrors(error).includes('MEMBER_ID_REQUIRED')) throw error
      memberId = toResponse<{ memberId: string }>(error).memberId
      return request()
    }
  }

  async function join(): Promise<Generation> {
    return withCoordinator(
      async (client, node) => {
        const joined = await askToJoin(client, node)
        memberId = joined.memberId
        const { generationId: id, leader, members } = joined
        const shares =
          leader === memberId
            ? await assign(
                client,
                topics,
                members.map((m) => m.memberId),
              )
            : []
        const names = [protocolType, protocolName] as const
        const synced = await client.ask(
          node,
          'SyncGroup',
          groupId,
          id,
          memberId,
          null,
          ...names,
          shares,
        )
        const { assignedPartitions } = client.library.decodeConsumerProtocolAssignment(
          synced.assignment,
        )
        const partitions = assignedPartitions.flatMap(({ topic, partitions: indexes }) =>
          indexes.map((partition) => ({ topic, partition })),
        )
        return { id, memberId, partitions }
        // The others may take as long as they are allowed to, and the coordinator some time.
      },
      rebalanceMs + sessionMs + deadlineMs,
    )
  }

  return {
    join,
    async beat({ id, memberId: member }) {
      try {
        await withCoordinator((client, node) => client.ask(node, 'Heartbeat', groupId, id, member))
        return 'same'
      } catch (error) {
        const names = toProtocolErrors(error)
        if (names.includes('REBALANCE_IN_PROGRESS')) return 'rebalance'
        if (names.some((name) => lost.has(name))) return 'lost'
        throw error
      }
    },
    async positions(partitions) {
      const byTopic = Map.groupBy(partitions, ({ topic }) => topic)
      const wanted = [...byTopic].map(([name, some]) => ({
        name,
        partitionIndexes: some.map(({ partition }) => partition),
      }))
      const { groups } = await withCoordinator((client, node) =>
        client.ask(node, 'OffsetFetch', [{ groupId, memberEpoch: -1, topics: wanted }], true),
      )
      return (groups[0]?.topics ?? []).flatMap(({ name: topic, partitions: found }) =>
        found.map(({ partitionIndex: partition, committedOffset: offset, metadata }) => ({
          topic,
          partition,
          offset,
          note: metadata ?? '',
        })),
      )
    },
    async commit({ id, memberId: member }, positions) {
      if (positions.length === 0) return true
      const byTopic = Map.groupBy(positions, ({ topic }) => topic)
      const request = [...byTopic].map(([name, some]) => ({
        name,
        partitions: some.map(({ partition, offset, note }) => ({
          partitionIndex: partition,
          committedOffset: offset,
          committedLeaderEpoch: -1,
          committedMetadata: note,
        })),
      }))
      try {
        await withCoordinator((client, node) =>
          client.ask(node, 'OffsetCommit', groupId, id, member, null, request),
        )
        return true
      } catch (error) {
        const names = toProtocolErrors(error)
        if (names.some((name) => lost.has(name))) return false
        throw error
      }
    },
    async leave(other) {
      if (memberId === '') return
      await other.use(async (client) => {
        await client.ask(await client.coordinator(groupId), 'LeaveGroup', groupId, [{ memberId }])
      }, deadlineMs)
      memberId = ''
    },
  }
}

/** What the member does that the group chose as its leader: one partition after the other in turn. */
async function assign(client: Client, topics: readonly string[], memberIds: readonly string[]) {
  const members = memberIds.toSorted()
  const shares = members.map(() => new Map<string, number[]>())
  let turn = 0
  for (const topic of topics) {
    const info = await client.topic(topic)
    for (const partition of info?.leaders.keys() ?? []) {
      const share = shares[turn % members.length]
      share?.set(topic, [...(share.get(topic) ?? []), partition])
      turn += 1
    }
  }
  return members.map((memberId, index) => ({
    memberId,
    assignment: encode(client.library, shares[index] ?? new Map()),
  }))
}

function encode(library: Library, share: ReadonlyMap<string, number[]>): Buffer {
  const assignedPartitions = [...share].map(([topic, partitions]) => ({ topic, partitions }))
  return library.encodeConsumerProtocolAssignment({ version: 1, assignedPartitions })
}
