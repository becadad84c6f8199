import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'

/** One person's steps, again and again; throws when something was refused or broke. */
export type Walk = { name: string; work(): Promise<unknown> }

// Some hundred requests a second: steady, and the machine stays free for what is being tested.
const pauseMs = 20

/**
 * Does the work while people walk, two on each walk unless it is said otherwise, and returns what
 * failed for them: by walk and moment. Throws when a walk was never done.
 */
export async function withTraffic(
  walks: readonly Walk[],
  work: () => Promise<void>,
  peoplePerWalk = 2,
): Promise<string[]> {
  const failures: string[] = []
  const done = new Set<string>()
  const startedAtMs = performance.now()
  let isOver = false

  async function go({ name, work: walk }: Walk): Promise<void> {
    while (!isOver) {
      try {
        await walk()
        done.add(name)
      } catch (error) {
        const atMs = Math.round(performance.now() - startedAtMs)
        failures.push(`${name} after ${atMs} ms: ${wordsOf(error)}`)
      }
      await delay(pauseMs)
    }
  }

  const people = walks.flatMap((walk) => Array.from({ length: peoplePerWalk }, () => go(walk)))
  try {
    await work()
  } finally {
    isOver = true
    await Promise.all(people)
  }
  for (const { name } of walks) {
    assert.ok(done.has(name), `${name} was never done. ${failures.slice(0, 5).join('\n')}`)
  }
  return failures
}

function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message
}
