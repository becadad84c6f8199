import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Client, Link } from '../../src/messaging/kafka/client.ts'
import { createReader } from '../../src/messaging/kafka/reader.ts'
import { eventually, silentLogger } from '../../src/testing.ts'

/** A cluster of one node that leads everything, and says so once it is let. */
function startCluster() {
  const lookedUp: string[] = []
  const fetched: string[] = []
  const answer = Promise.withResolvers<void>()
  const client = {
    async topic(name: string) {
      lookedUp.push(name)
      await answer.promise
      return { id: name, leaders: [1] }
    },
    async ask(_node: number, _name: string, ...args: unknown[]) {
      const request = args[6] as { topicId: string }[]
      fetched.push(...request.map(({ topicId }) => topicId))
      await new Promise((resolve) => setTimeout(resolve, 1))
      const partitions = [{ partitionIndex: 0, errorCode: 0, records: [] }]
      return { errorCode: 0, responses: request.map(({ topicId }) => ({ topicId, partitions })) }
    },
    forget: () => undefined,
  } as unknown as Client
  const use: Link['use'] = (work) => work(client)
  return {
    link: { use, insist: use, close: async () => undefined } satisfies Link,
    lookedUp,
    fetched,
    let: () => answer.resolve(),
  }
}

test('a partition that is given up while its leader is looked for keeps no other from being read', async () => {
  const cluster = startCluster()
  const reader = createReader(cluster.link, silentLogger())
  const feed = reader.open({ topic: 'given-up', partition: 0, offset: 0n })
  await eventually(() => cluster.lookedUp.includes('given-up'))
  feed.close()
  cluster.let()
  reader.open({ topic: 'taken-up', partition: 0, offset: 0n })
  await eventually(() => cluster.fetched.includes('taken-up'))
  assert.ok(!cluster.fetched.includes('given-up'))
  await reader.close()
})
