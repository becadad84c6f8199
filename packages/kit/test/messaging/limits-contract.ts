import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AppError } from '../../src/errors.ts'
import type { DeadLetterSummary, Message, Messaging } from '../../src/messaging.ts'
import type { Bench } from './contract.ts'
import {
  aMessage,
  consume,
  eventually,
  never,
  numberOf,
  someMessages,
  soon,
  sources,
  toAddress,
  unique,
} from './effects.ts'

function letterOf(messaging: Messaging, type: string): Promise<DeadLetterSummary> {
  return eventually(async () => {
    const { items } = await messaging.deadLetters.list({ limit: 10, type })
    return items[0] ?? false
  })
}

// What a timer or a clock may be early by.
const toleranceMs = 5

/** The part of the contract about how long a message is tried, how often, and what is left of it. */
export function limitsContract(bench: () => Bench): void {
  for (const [kind, source] of sources()) {
    test(`a message of a ${kind} is not tried again before its delay is over`, async (t) => {
      const messaging = await bench().connect(t)
      const startedAt: number[] = []
      const backoff = { baseMs: 120, maxMs: 400 }
      const handler = async () => {
        startedAt.push(performance.now())
        if (startedAt.length < 5) throw new Error('not yet')
      }
      consume(messaging, source, handler, { backoff, maxAttempts: 9 })
      await messaging.start()
      await messaging.publisher.publish(someMessages(toAddress(source), 1))
      await eventually(() => startedAt.length === 5)
      const pauses = startedAt.slice(1).map((at, index) => at - (startedAt[index] ?? 0))
      for (const [index, least] of [60, 120, 200, 200].entries()) {
        const pause = pauses[index] ?? 0
        assert.ok(pause >= least - toleranceMs, `pause ${index + 1} took ${pause} ms`)
      }
    })

    test(`an outage longer than a message of a ${kind} may wait makes it a dead letter`, async (t) => {
      const messaging = await bench().connect(t)
      const type = unique('halles.test.unlucky')
      const outageMs = 300
      let tries = 0
      let isBack = false
      const applied: number[] = []
      const handler = async (delivery: { message: Message }) => {
        tries += 1
        if (!isBack && delivery.message.type === type) {
          throw new AppError('unavailable', 'DATABASE_UNAVAILABLE', 'Away.')
        }
        applied.push(numberOf(delivery))
      }
      const backoff = { baseMs: 20, maxMs: 50 }
      consume(messaging, source, handler, { outageMs, backoff, maxAttempts: 2 })
      await messaging.start()
      const address = toAddress(source)
      await messaging.publisher.publish([
        { address, message: { ...aMessage(1), type } },
        { address, message: aMessage(2) },
      ])
      const summary = await letterOf(messaging, type)
      assert.equal(summary.code, 'DATABASE_UNAVAILABLE')
      assert.ok(tries > 2, `after ${tries} tries`)
      const { history } = await messaging.deadLetters.get(summary.id)
      const first = Date.parse(history[0]?.at ?? '')
      const last = Date.parse(history.at(-1)?.at ?? '')
      assert.ok(last - first >= outageMs - 60, `after ${last - first} ms`)
      await eventually(() => applied.includes(2))
      isBack = true
      await messaging.deadLetters.replay(summary.id)
      await eventually(() => applied.includes(1))
    })

    test(`a dead letter of a ${kind} tells what happened and holds the message unchanged`, async (t) => {
      const messaging = await bench().connect(t)
      const message = describedMessage()
      const { type } = message
      const handler = async () => {
        throw new AppError('internal', 'TEST_BROKEN', 'It does not work: “déjà vu”.')
      }
      consume(messaging, source, handler, { backoff: soon, maxAttempts: 3 })
      await messaging.start()
      await messaging.publisher.publish([{ address: toAddress(source), message }])
      const summary = await letterOf(messaging, type)
      const letter = await messaging.deadLetters.get(summary.id)
      const { message: whole, history, ...facts } = letter
      const { failedAt, id, ...rest } = facts
      assert.deepEqual(whole, message)
      assert.deepEqual(rest, {
        address: toAddress(source),
        ...('group' in source ? { group: source.group } : {}),
        service: 'tester',
        attempts: 3,
        code: 'TEST_BROKEN',
        reason: 'It does not work: “déjà vu”.',
      })
      const { data, ...envelope } = message
      assert.deepEqual(summary, { ...facts, message: envelope })
      const tries = history.map(({ at, ...failure }) => failure)
      const { code, reason } = rest
      assert.deepEqual(
        tries,
        [1, 2, 3].map((attempt) => ({ attempt, code, reason })),
      )
      const times = history.map(({ at }) => Date.parse(at))
      assert.deepEqual(
        times,
        times.toSorted((a, b) => a - b),
      )
      assert.ok(Date.parse(failedAt) >= (times.at(-1) ?? Number.NaN) - toleranceMs)
      await assertFilters(messaging, facts, type)
    })

    test(`a message of a ${kind} that waits for its next try is none of the dead letters`, async (t) => {
      const messaging = await bench().connect(t)
      const type = unique('halles.test.waiting')
      let tries = 0
      const handler = async () => {
        tries += 1
        throw new Error('not now')
      }
      consume(messaging, source, handler, { backoff: never })
      await messaging.start()
      const address = toAddress(source)
      await messaging.publisher.publish([{ address, message: { ...aMessage(1), type } }])
      await eventually(() => tries === 1)
      assert.deepEqual((await messaging.deadLetters.list({ limit: 10, type })).items, [])
    })
  }
}

/** A message with every attribute, and text that is easily spoilt. */
function describedMessage(): Message {
  return {
    ...aMessage(1, 'clé \u2028 1'),
    type: unique('halles.test.broken'),
    dataschema: 'https://halles.example/schemas/test.json',
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    correlationid: 'correlation-1',
    causationid: 'causation-1',
    data: {
      n: 1,
      text: 'ça ☕ \u2028 "quoted" \\',
      nested: { list: [1, null, 1.5, {}], no: false },
    },
  }
}

async function assertFilters(
  { deadLetters }: Messaging,
  { id, failedAt }: { id: string; failedAt: string },
  type: string,
): Promise<void> {
  const at = Date.parse(failedAt)
  const ids = async (filter: { failedBefore?: Date; failedAfter?: Date; service?: string }) =>
    (await deadLetters.list({ limit: 10, type, ...filter })).items.map((item) => item.id)
  const before = new Date(at - 1_000)
  const after = new Date(at + 1_000)
  assert.deepEqual(await ids({ failedBefore: after }), [id])
  assert.deepEqual(await ids({ failedBefore: before }), [])
  assert.deepEqual(await ids({ failedAfter: before }), [id])
  assert.deepEqual(await ids({ failedAfter: after }), [])
  assert.deepEqual(await ids({ failedAfter: before, failedBefore: after }), [id])
  assert.deepEqual(await ids({ service: 'tester' }), [id])
  assert.deepEqual(await ids({ service: 'another' }), [])
}
