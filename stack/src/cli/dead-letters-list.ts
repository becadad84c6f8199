import type { DeadLetter, DeadLetterPage } from '@halles/contracts/gen/http/gateway'
import { agoOf, type Command, numberOf, textOf } from './command.ts'
import { ago, table } from './table.ts'

const pageSize = 100

export const deadLettersList: Command = {
  name: 'dead-letters list',
  summary: 'Messages that could not be applied, newest first.',
  words: [],
  options: {
    service: { type: 'string' },
    type: { type: 'string' },
    'older-than': { type: 'string' },
    'newer-than': { type: 'string' },
    limit: { type: 'string' },
  },
  help: `  --service NAME        whose handler failed
  --type TYPE           the type of the message
  --older-than 1h       that failed longer ago (90s, 15m, 1h, 2d)
  --newer-than 1h       that failed since then
  --limit N             at most so many (50)`,
  example: '--service carts --newer-than 1h',
  async run(input, { session, show }) {
    const now = new Date()
    const limit = numberOf(input, 'limit', { min: 1, max: 10_000 }) ?? 50
    const query = new URLSearchParams()
    const filter = {
      service: textOf(input, 'service'),
      type: textOf(input, 'type'),
      failedBefore: agoOf(input, 'older-than', now)?.toISOString(),
      failedAfter: agoOf(input, 'newer-than', now)?.toISOString(),
    }
    for (const [name, value] of Object.entries(filter)) if (value) query.set(name, value)
    const { call } = await session()
    const items: DeadLetter[] = []
    let cursor: string | null = null
    do {
      query.set('limit', String(Math.min(pageSize, limit - items.length)))
      if (cursor !== null) query.set('cursor', cursor)
      const path = `/api/v1/system/dead-letters?${query}`
      const page: DeadLetterPage = await call({ method: 'GET', path })
      items.push(...page.items)
      cursor = page.nextCursor
    } while (cursor !== null && items.length < limit)
    const rows = items.map((letter) => toRow(letter, now))
    const heads = ['ID', 'AGO', 'SERVICE', 'FROM', 'TYPE', 'TRIES', 'CODE']
    const more = cursor === null ? '' : '\n… and more: --limit N'
    show({ json: { items, hasMore: cursor !== null }, text: `${table(heads, rows)}${more}` })
    return true
  },
}

function toRow(letter: DeadLetter, now: Date): string[] {
  const { id, deadAt, service, address, type, attempts, code } = letter
  return [id, ago(deadAt, now), service, address.name, type, String(attempts), code]
}
