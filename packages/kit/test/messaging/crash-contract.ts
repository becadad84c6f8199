import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { randomInt, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { appendOutbox } from '../../src/outbox.ts'
import { createRelay } from '../../src/relay.ts'
import { eventually, silentLogger } from '../../src/testing.ts'
import type { Bench } from './contract.ts'
import {
  applyOnce,
  type ConsumerOrder,
  consume,
  readEffects,
  type Source,
  someMessages,
  toAddress,
} from './effects.ts'

const program = new URL('./contract-consumer.ts', import.meta.url)

function startConsumer(t: TestContext, order: ConsumerOrder): ChildProcess {
  const child = fork(program, [JSON.stringify(order)], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  t.after(() => child.kill('SIGKILL'))
  return child
}

function sources(): [string, Source][] {
  const name = `crash-${randomUUID().slice(0, 8)}`
  return [
    ['queue', { queue: name }],
    ['topic', { topic: name, group: 'g' }],
  ]
}

// mulberry32: a run that fails can be repeated with the seed that it printed.
function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** The part of the contract that needs consumers in processes of their own, to be killed. */
export function crashContract(bench: () => Bench): void {
  for (const [kind, source] of sources()) {
    test(`a ${kind} consumer killed between effect and acknowledgement leaves one effect`, async (t) => {
      const { harness, service, connect } = bench()
      const consumer = `killed ${kind}`
      const publishing = await connect(t)
      await publishing.publisher.publish(someMessages(toAddress(source), 1))
      const child = startConsumer(t, {
        adapter: harness.adapter,
        instance: 'killed',
        effectsUrl: service.url,
        consumer,
        source,
        dieAfterEffect: true,
      })
      const [, signal] = await once(child, 'exit')
      assert.equal(signal, 'SIGKILL')
      assert.equal((await readEffects(service.database, consumer)).length, 1)
      const deliveries: string[] = []
      consume(publishing, source, async (delivery) => {
        await applyOnce(service.database, consumer, delivery)
        deliveries.push(delivery.message.id)
      })
      await publishing.start()
      await eventually(() => deliveries.length === 1)
      assert.equal((await readEffects(service.database, consumer)).length, 1)
    })
  }

  for (const [kind, source] of sources()) {
    test(`consumers of a ${kind} killed at random lose nothing and apply nothing twice`, async (t) => {
      const seed = Number(process.env.HALLES_TEST_SEED ?? randomInt(2 ** 31))
      t.diagnostic(`seed ${seed}`)
      await killAtRandom(t, bench(), { kind, source, random: createRandom(seed) })
    })
  }
}

async function killAtRandom(
  t: TestContext,
  { harness, service, connect }: Bench,
  { kind, source, random }: { kind: string; source: Source; random: () => number },
): Promise<void> {
  const total = 300
  const kills = 4
  const consumer = `random ${kind}`
  const keys = ['a', 'b', 'c', 'd', 'e', 'f', 'g']
  const items = someMessages(toAddress(source), total, keys)
  const publishing = await connect(t)
  const relay = createRelay({
    database: service.database,
    listenUrl: service.url,
    publisher: publishing.publisher,
    logger: silentLogger(),
    batchSize: 20,
  })
  await relay.start()
  t.after(() => relay.stop())
  const order = (instance: string): ConsumerOrder => ({
    adapter: harness.adapter,
    instance,
    effectsUrl: service.url,
    consumer,
    source,
    dieAfterEffect: false,
  })
  const children = [startConsumer(t, order('c1')), startConsumer(t, order('c2'))]
  for (const child of children) await once(child, 'message')
  const count = async () => (await readEffects(service.database, consumer)).length
  const share = total / (kills + 1)
  for (let part = 0; part <= kills; part += 1) {
    await service.database.transaction((tx) =>
      appendOutbox(tx, items.slice(part * share, (part + 1) * share)),
    )
    if (part === kills) break
    // Somewhere within this part's messages, so that some are in hand.
    const at = part * share + Math.ceil(random() * share * 0.9)
    await eventually(async () => (await count()) >= Math.min(at, part * share + 1))
    const victim = random() < 0.5 ? 0 : 1
    children[victim]?.kill('SIGKILL')
    children[victim] = startConsumer(t, order(`c${part + 3}`))
    await eventually(async () => (await count()) >= at, { limitMs: 20_000 })
  }
  await eventually(async () => (await count()) === total, { limitMs: 30_000 })
  const effects = await readEffects(service.database, consumer)
  assert.equal(new Set(effects.map(({ messageId }) => messageId)).size, total)
  if (kind === 'topic') assertOrdered(effects, keys)
}

function assertOrdered(effects: readonly { key: string; n: number }[], keys: readonly string[]) {
  for (const key of keys) {
    const numbers = effects.filter((effect) => effect.key === key).map(({ n }) => n)
    assert.deepEqual(
      numbers,
      numbers.toSorted((a, b) => a - b),
      `the order of key ${key}`,
    )
  }
}
