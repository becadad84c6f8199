import fc from 'fast-check'
import { describeHistory, type History, histories } from './history.ts'
import { type Played, playHistory } from './play.ts'
import type { Sabotage } from './services.ts'
import type { World } from './world.ts'

export type Failure = { seed: number; history: History; message: string }
export type Checked = { runs: number; failure: Failure | null; totals: Played }

// Enough to make a failing history short.
const defaultShrinks = 400

/** Plays random histories until one fails, and makes that one short. */
export async function checkHistories(
  world: World,
  options: {
    runs: number
    seed: number
    sabotage?: Sabotage
    /** How many shorter histories are tried when one fails. */
    shrinks?: number
    onPlayed?: (runs: number, totals: Played) => void
  },
): Promise<Checked> {
  const { runs, seed, sabotage = {}, shrinks = defaultShrinks, onPlayed } = options
  const totals: Played = { orders: 0, paid: 0, capturedMinor: 0, refundedMinor: 0 }
  let played = 0
  let tries = 0
  let last: { history: History; message: string } | undefined
  const property = fc.asyncProperty(histories, async (history) => {
    if (last && tries >= shrinks) return
    if (last) tries += 1
    try {
      const result = await playHistory(world, history, sabotage)
      if (last) return
      played += 1
      for (const name of Object.keys(totals) as (keyof Played)[]) totals[name] += result[name]
      onPlayed?.(played, totals)
    } catch (error) {
      last = { history, message: error instanceof Error ? error.message : String(error) }
      throw error
    }
  })
  await fc.check(property, { numRuns: runs, seed })
  return { runs: played, totals, failure: last ? { seed, ...last } : null }
}

export function describeFailure({ seed, history, message }: Failure): string {
  return [
    `With seed ${seed}, made short:`,
    describeHistory(history),
    '',
    message,
    '',
    `To play it again: --history '${JSON.stringify(history)}'`,
  ].join('\n')
}
