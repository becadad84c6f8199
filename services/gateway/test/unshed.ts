import { setTimeout as pause } from 'node:timers/promises'

// Ten seconds in all: longer than the stalls of a machine on which other tests run.
const tries = 100
const pauseMs = 100

/**
 * As `fetch`, of one who comes again when the gateway has too much to do, which on a busy machine is
 * no fault: what is shed was not begun. The last answer counts, whatever it is.
 */
export async function fetchUnshed(url: string, init: () => RequestInit): Promise<Response> {
  for (let left = tries; ; left -= 1) {
    const answer = await fetch(url, init())
    if (left <= 1 || !(await isShed(answer))) return answer
    await pause(pauseMs)
  }
}

async function isShed(answer: Response): Promise<boolean> {
  if (answer.status !== 503) return false
  return ((await answer.clone().json()) as { code?: string }).code === 'OVERLOADED'
}
