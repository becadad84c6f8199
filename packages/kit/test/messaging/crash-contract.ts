import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { appendOutbox } from '../../src/outbox.ts'
import { createRelay } from '../../src/relay.ts'
import { silentLogger } from '../../src/testing.ts'
import type { Bench } from './contract.ts'
import {
  applyOnce,
  type ConsumerOrder,
  consume,
  type Effect,
  effectCount,
  eventually,
  readEffects,
  type Source,
  someMessages,
  sources,
  toAddress,
  unique,
} from './effects.ts'

const program = new URL('./contract-consumer.ts', import.meta.url)

type Order = Pick<ConsumerOrder, 'consumer' | 'source' | 'maxAttempts' | 'dieAfterEffect' | 'dieOn'>

function startConsumer(t: TestContext, { harness, service }: Bench, order: Order): ChildProcess {
  const whole: ConsumerOrder = {
    adapter: harness.adapter,
    instance: unique('consumer'),
    effectsUrl: service.url,
    ...order,
  }
  const child = fork(program, [JSON.stringify(whole)], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  t.after(() => child.kill('SIGKILL'))
  return child
}

const isGone = ({ exitCode, signalCode }: ChildProcess) => exitCode !== null || signalCode !== null

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

// A slow machine may ask for fewer.
const total = Number(process.env.HALLES_TEST_MESSAGES ?? 10_000)

/** The part of the contract that needs consumers in processes of their own, to be killed. */
export function crashContract(bench: () => Bench): void {
  for (const [kind, source] of sources()) {
    test(`a ${kind} consumer killed between effect and acknowledgement leaves one effect`, (t) =>
      killAfterEffect(t, bench(), source))
  }

  for (const [kind, source] of sources()) {
    test(`a message of a ${kind} that kills its process again and again is a dead letter, the others are applied`, (t) =>
      restartUntilLetter(t, bench(), source))
  }

  for (const [kind, source] of sources()) {
    test(`of ${total} messages of a ${kind}, consumers killed at random lose none and apply none twice`, async (t) => {
      const seed = Number(process.env.HALLES_TEST_SEED ?? randomInt(2 ** 31))
      t.diagnostic(`HALLES_TEST_SEED=${seed}`)
      try {
        const effects = await killAtRandom(t, bench(), { source, random: createRandom(seed) })
        if (kind === 'topic') assertOrdered(effects)
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error)
        throw new Error(`${reason} (HALLES_TEST_SEED=${seed})`, { cause: error })
      }
    })
  }
}

async function killAfterEffect(t: TestContext, bench: Bench, source: Source): Promise<void> {
  const { database } = bench.service
  const consumer = unique('killed')
  const publishing = await bench.connect(t)
  await publishing.publisher.publish(someMessages(toAddress(source), 1))
  const child = startConsumer(t, bench, { consumer, source, dieAfterEffect: true })
  const [, signal] = await once(child, 'exit')
  assert.equal(signal, 'SIGKILL')
  assert.equal((await readEffects(database, consumer)).length, 1)
  const deliveries: string[] = []
  consume(publishing, source, async (delivery) => {
    await applyOnce(database, consumer, delivery)
    deliveries.push(delivery.message.id)
  })
  await publishing.start()
  await eventually(() => deliveries.length === 1)
  assert.equal((await readEffects(database, consumer)).length, 1)
}

// Each crash may be blamed on a whole batch before it is blamed on the message.
const mostCrashes = 12

async function restartUntilLetter(t: TestContext, bench: Bench, source: Source): Promise<void> {
  const consumer = unique('poison')
  const items = someMessages(toAddress(source), 21, ['a', 'b', 'c'])
  const poison = items[10]?.message
  assert.ok(poison)
  poison.type = unique('halles.test.deadly')
  const { deadLetters, publisher } = await bench.connect(t)
  await publisher.publish(items)
  const order = { consumer, source, maxAttempts: 3, dieOn: 11 }
  let crashes = 0
  let child = startConsumer(t, bench, order)
  const { database } = bench.service
  const summary = await eventually(
    async () => {
      if (isGone(child)) {
        assert.equal(child.signalCode, 'SIGKILL')
        crashes += 1
        child = startConsumer(t, bench, order)
      }
      if (crashes > mostCrashes) return 'too many crashes'
      const { items: letters } = await deadLetters.list({ limit: 10, type: poison.type })
      const isDone = (await effectCount(database, consumer)) === items.length - 1
      return isDone && (letters[0] ?? false)
    },
    { limitMs: 120_000 },
  )
  assert.ok(typeof summary !== 'string', `no dead letter after ${crashes} crashes`)
  t.diagnostic(`${crashes} crashes`)
  assert.equal(summary.code, 'DELIVERY_LIMIT')
  assert.ok(summary.attempts >= 3, `after ${summary.attempts} tries`)
  assert.ok(summary.reason.length > 0)
  assert.deepEqual((await deadLetters.get(summary.id)).message, poison)
  const others = items.map(({ message }) => message.id).filter((id) => id !== poison.id)
  const effects = await readEffects(database, consumer)
  assert.deepEqual(effects.map(({ messageId }) => messageId).sort(), others.sort())
  if ('topic' in source) assertOrdered(effects)
}

const keys = Array.from({ length: 17 }, (_, index) => `key ${index}`)
const kills = 6
// As many as a busy service commits at once.
const commitSize = 250

async function killAtRandom(
  t: TestContext,
  bench: Bench,
  { source, random }: { source: Source; random: () => number },
): Promise<Effect[]> {
  const { database, url } = bench.service
  const consumer = unique('random')
  const items = someMessages(toAddress(source), total, keys)
  const { publisher } = await bench.connect(t)
  const logger = silentLogger()
  const relay = createRelay({ database, listenUrl: url, publisher, logger, batchSize: 100 })
  await relay.start()
  t.after(() => relay.stop())
  const start = () => startConsumer(t, bench, { consumer, source })
  const children = [start(), start()]
  for (const child of children) await once(child, 'message')
  for (let at = 0; at < total; at += commitSize) {
    await database.transaction((tx) => appendOutbox(tx, items.slice(at, at + commitSize)))
  }
  // Before the end, so that some are in hand.
  const moments = Array.from({ length: kills }, () => Math.ceil(random() * total * 0.9))
  for (const moment of moments.toSorted((a, b) => a - b)) {
    await eventually(async () => (await effectCount(database, consumer)) >= moment)
    const victim = random() < 0.5 ? 0 : 1
    children[victim]?.kill('SIGKILL')
    children[victim] = start()
  }
  const isDone = async () => (await effectCount(database, consumer)) === total
  await eventually(isDone, { limitMs: 150_000 })
  const effects = await readEffects(database, consumer)
  assert.equal(new Set(effects.map(({ messageId }) => messageId)).size, total)
  return effects
}

function assertOrdered(effects: readonly Effect[]): void {
  for (const [key, ofKey = []] of Object.entries(Object.groupBy(effects, (e) => e.key))) {
    const numbers = ofKey.map(({ n }) => n)
    const sorted = numbers.toSorted((a, b) => a - b)
    assert.deepEqual(numbers, sorted, `the order of ${key}`)
  }
}
