import { setTimeout as delay } from 'node:timers/promises'
import { AppError } from '@halles/kit/errors'
import type { Platform } from './topology.ts'

// A message takes milliseconds; a machine that is busy with its first start, a few seconds.
const signInLimitMs = 15_000

/**
 * On a first start the administrator's credentials are still on their way to auth when every part
 * is ready; who reads "open" must be able to sign in.
 */
export async function untilAdministratorCanSignIn(
  { port, secrets }: Platform,
  signal: AbortSignal,
): Promise<void> {
  const { email, password } = secrets.admin
  // Ever longer pauses: auth closes an account for a while after ten failures.
  for (let pauseMs = 200; !signal.aborted; pauseMs *= 2) {
    const answer = await fetch(`http://127.0.0.1:${port}/api/v1/sessions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email, password }),
      signal: AbortSignal.timeout(signInLimitMs),
    })
    await answer.body?.cancel()
    if (answer.ok) return
    if (pauseMs > signInLimitMs) {
      const text = `The administrator could not sign in: status ${answer.status}.`
      throw new AppError('unavailable', 'SIGN_IN_FAILED', text)
    }
    await delay(pauseMs)
  }
}
