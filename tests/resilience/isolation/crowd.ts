import assert from 'node:assert/strict'
import { type Answer, toProblem } from '../../e2e/api.ts'
import { assertAway } from './pages.ts'

/** What a crowd asks, and what each is answered when all is well. */
export type CrowdQuestion = { ask(): Promise<Answer>; status: number }

type Settled = { answer: Answer; rounds: number }

// More than two gateways have places for at one instance (128 each), and than any pool of a service.
const crowdSize = 300

/**
 * Many people who ask the same part at the same moment.
 * @param rounds how many rounds of the other pages are done that began after this moment.
 */
export function sendCrowd({ ask, status }: CrowdQuestion, rounds: () => number) {
  const settling = Promise.all(
    Array.from({ length: crowdSize }, async (): Promise<Settled> => {
      const answer = await ask()
      return { answer, rounds: rounds() }
    }),
  )
  // Whoever waits for it hears of it; until then it is nobody's.
  settling.catch(() => undefined)
  return {
    /**
     * Waits until everybody has an answer. It is the right one, or says that it cannot be now.
     * @param options.isAway nobody may have been served.
     * @param options.makesWait the part is silent: before it, or its silence, decided any of the
     *   answers, all other pages must have been asked for and have been there.
     * @returns false when the part should have made people wait, but it was known already that it
     *   does not answer: on a busy machine the probes may tell before anybody gets there.
     */
    async disperses(options: { isAway: boolean; makesWait: boolean }): Promise<boolean> {
      const settled = await settling
      for (const { answer } of settled) {
        if (options.isAway || answer.status !== status) assertAway(answer)
      }
      if (!options.makesWait) return true
      const waited = settled.filter(({ answer }) => hasWaited(answer))
      assert.ok(
        waited.every((each) => each.rounds > 0),
        'The other pages waited for the part.',
      )
      return waited.length > 0
    },
  }
}

/** Not who was turned away because it was known already that nobody is there. */
function hasWaited(answer: Answer): boolean {
  if (answer.status < 500) return true
  return !['UPSTREAM_UNAVAILABLE', 'UPSTREAM_BUSY'].includes(toProblem(answer).code)
}
