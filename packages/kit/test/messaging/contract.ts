import { after, before, describe, type TestContext } from 'node:test'
import type { Messaging } from '../../src/messaging.ts'
import { createTestDatabase, type TestDatabase } from '../../src/testing.ts'
import { crashContract } from './crash-contract.ts'
import { type Adapter, connectAdapter, serviceSchemas, unique } from './effects.ts'
import { failureContract } from './failure-contract.ts'
import { limitsContract } from './limits-contract.ts'
import { outageContract } from './outage-contract.ts'
import { queueContract, traceContract } from './queue-contract.ts'
import { topicContract } from './topic-contract.ts'

export type Harness = {
  adapter: Adapter
  /** Makes the broker unreachable, and reachable again. */
  away(): Promise<void>
  back(): Promise<void>
  stop(): Promise<void>
}

/** What the tests of a contract share once the harness is up. */
export type Bench = {
  harness: Harness
  service: TestDatabase
  /** One more instance, stopped with the test. */
  connect(t: TestContext): Promise<Messaging>
}

/**
 * What every adapter of the messaging port has to pass, whatever broker is behind it. Nothing here
 * knows the adapter: other instances are made from its module, other processes import it.
 */
export function messagingContract(name: string, createHarness: () => Promise<Harness>): void {
  describe(name, () => {
    let harness: Harness
    let service: TestDatabase
    const bench = (): Bench => ({ harness, service, connect })

    before(async () => {
      harness = await createHarness()
      service = await createTestDatabase({ schemas: serviceSchemas })
    })
    after(async () => {
      await service.drop()
      await harness.stop()
    })

    async function connect(t: TestContext): Promise<Messaging> {
      const messaging = await connectAdapter(harness.adapter, unique('instance'))
      t.after(() => messaging.stop())
      return messaging
    }

    queueContract(bench)
    topicContract(bench)
    traceContract(bench)
    failureContract(bench)
    limitsContract(bench)
    outageContract(bench)
    crashContract(bench)
  })
}
