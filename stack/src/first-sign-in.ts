import { setTimeout as delay } from 'node:timers/promises'
import { AppError } from '@halles/kit/errors'
import type { Platform } from './topology.ts'

// A message takes milliseconds; a machine that is busy with its first start, a few seconds.
const signInLimitMs = 15_000

/**
 * On a first start the administrator's credentials and role are still on their way to auth when
 * every part is ready; who reads "open" must be able to sign in and to work.
 */
export async function untilAdministratorCanSignIn(
  { port, secrets }: Platform,
  signal: AbortSignal,
): Promise<void> {
  const { email, password } = secrets.admin
  const call = (path: string, init: RequestInit) =>
    fetch(`http://127.0.0.1:${port}/api/v1${path}`, {
      ...init,
      signal: AbortSignal.timeout(signInLimitMs),
    })
  // Ever longer pauses: auth closes an account for a while after ten failures.
  for (let pauseMs = 200; !signal.aborted; pauseMs *= 2) {
    const session = await call('/sessions', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email, password }),
    })
    if (!session.ok) await session.body?.cancel()
    else {
      const { accessToken } = (await session.json()) as { accessToken: string }
      const answer = await call('/system', { headers: { authorization: `Bearer ${accessToken}` } })
      await answer.body?.cancel()
      if (answer.ok) return
    }
    if (pauseMs > signInLimitMs) {
      const text = `The administrator could not sign in: status ${session.status}.`
      throw new AppError('unavailable', 'SIGN_IN_FAILED', text)
    }
    await delay(pauseMs)
  }
}
