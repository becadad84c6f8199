import type { BulkReplay, BulkReplayResult } from '@halles/contracts/gen/http/gateway'
import type { Session } from '../shop-session.ts'
import {
  agoOf,
  type Command,
  type Context,
  type Input,
  numberOf,
  textOf,
  usage,
} from './command.ts'

const filters = ['service', 'type', 'older-than', 'rate'] as const
const perSecond = 10
// So that one request ends, and its progress is seen, within some seconds.
const secondsPerRequest = 5
// The slowest rate takes this long for a request.
const answerLimitMs = 60_000

export const deadLettersReplay: Command = {
  name: 'dead-letters replay',
  summary: 'Deliver one again, or all that match, to the consumer that refused it. Audited.',
  words: ['[id]'],
  options: {
    all: { type: 'boolean' },
    service: { type: 'string' },
    type: { type: 'string' },
    'older-than': { type: 'string' },
    rate: { type: 'string' },
  },
  help: `  --all                 instead of an id: all, or those that match
  --service NAME        whose handler failed
  --type TYPE           the type of the message
  --older-than 1h       that failed longer ago (90s, 15m, 1h, 2d)
  --rate N              at most so many a second (10; up to 50)

What is dead when the command begins is replayed once, oldest first within a batch; what fails again
stays a dead letter.`,
  example: '--all --older-than 1h --rate 20',
  async run(input, context) {
    const [id] = input.words
    const isAll = input.options.all === true
    if (isAll === (id !== undefined)) throw usage('Name one dead letter, or say --all.')
    const given = filters.find((name) => input.options[name] !== undefined)
    if (!isAll && given) throw usage(`--${given} goes with --all.`)
    return id === undefined ? replayAll(input, context) : replayOne(id, context)
  },
}

async function replayOne(id: string, { session, show }: Context): Promise<boolean> {
  const { call } = await session()
  const path = `/api/v1/system/dead-letters/${encodeURIComponent(id)}/replay`
  await call({ method: 'POST', path, isRepeatable: false })
  show({ json: { replayed: 1, failed: [] }, text: `${id} is delivered again.` })
  return true
}

async function replayAll(input: Input, { session, show, progress }: Context): Promise<boolean> {
  const now = new Date()
  const rate = numberOf(input, 'rate', { min: 1, max: 50 }) ?? perSecond
  const [service, type] = [textOf(input, 'service'), textOf(input, 'type')]
  const order: BulkReplay = {
    ...(service !== undefined && { service }),
    ...(type !== undefined && { type }),
    // Never what dies while we are at it, or a poison message would go round for ever.
    failedBefore: (agoOf(input, 'older-than', now) ?? now).toISOString(),
    ratePerSecond: rate,
    limit: Math.min(100, rate * secondsPerRequest),
  }
  const current = await session()
  let replayed = 0
  const failed = new Map<string, string>()
  for (let hasMore = true; hasMore; ) {
    const batch = await replayBatch(current, order)
    replayed += batch.replayed
    for (const { id, code } of batch.failed) failed.set(id, code)
    // What cannot be replayed stays the newest; a batch of nothing else would come again and again.
    hasMore = batch.hasMore && batch.replayed > 0
    if (hasMore) progress(`${replayed} replayed, ${failed.size} failed …`)
  }
  const lines = [...failed].map(([id, code]) => `${id}  ${code}`)
  const json = { replayed, failed: [...failed].map(([id, code]) => ({ id, code })) }
  show({ json, text: [`${replayed} replayed, ${failed.size} failed`, ...lines].join('\n') })
  return failed.size === 0
}

function replayBatch({ call }: Session, order: BulkReplay): Promise<BulkReplayResult> {
  return call({
    method: 'POST',
    path: '/api/v1/system/dead-letters/replays',
    body: JSON.stringify(order),
    limitMs: answerLimitMs,
    isRepeatable: false,
  })
}
