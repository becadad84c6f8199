import { setTimeout as pause } from 'node:timers/promises'
import type { Problem } from '@halles/kit/errors'
import type { Answer } from '../../tests/e2e/api.ts'

// Longer than any part needs to come back after it was killed.
const patienceMs = 120_000
const againMs = 150

/**
 * Asks as a good client does: again after 5xx, 429 and broken connections, the same request each
 * time. Returns the first answer that says yes or no.
 */
export async function askUntilAnswered(ask: () => Promise<Answer>): Promise<Answer> {
  const endsAt = performance.now() + patienceMs
  let last: unknown
  while (performance.now() < endsAt) {
    try {
      const answer = await ask()
      if (answer.status < 500 && answer.status !== 429) return answer
      last = answer.body
    } catch (error) {
      // The gateway's socket may die with what is behind it; the next try tells.
      last = error instanceof Error ? error.message : error
    }
    await pause(againMs)
  }
  throw new Error(`There was no answer within ${patienceMs} ms; the last: ${JSON.stringify(last)}`)
}

/** The body of an answer that says yes. */
export function granted<Body>({ status, body }: Answer): Body {
  if (status < 300) return body as Body
  throw new Error(`Answered ${status}: ${JSON.stringify(body)}`)
}

export const codeOf = ({ body }: Answer) => (body as Partial<Problem>).code
