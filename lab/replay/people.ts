import { setTimeout as delay } from 'node:timers/promises'
import type { Tokens } from '@halles/contracts/gen/http/auth'
import { type Client, isRefused } from './client.ts'
import { inParallel } from './in-parallel.ts'
import type { Target } from './target.ts'

/** Who acts: access tokens that are good for the next call. */
export type People = {
  admin(): Promise<string>
  customer(id: string): Promise<string>
  signUp(ids: readonly string[], onProgress: () => void): Promise<void>
}

type Credentials = { email: string; password: string }
type Session = { token: string; untilMs: number }

// More at once would wait for each other's password hashes.
const signUpsAtOnce = 4
// Ten failed sign-ins would lock the e-mail for a while; credentials arrive within a second.
const signInTries = 8
const signInPauseMs = 800
// Signed in anew before a token ends under a call.
const usedShare = 0.8

/** The administrator, and the file's customers with e-mails that no other run has. */
export function createPeople({ admin }: Target, client: Client, run: string): People {
  const sessions = new Map<string, Promise<Session>>()

  async function signIn(body: Credentials): Promise<Session> {
    for (let tries = 1; ; tries += 1) {
      try {
        const tokens = await client.ask<Tokens>({ method: 'POST', path: '/sessions', body })
        const lifeMs = tokens.expiresInSeconds * 1_000 * usedShare
        return { token: tokens.accessToken, untilMs: performance.now() + lifeMs }
      } catch (error) {
        if (tries === signInTries || !isRefused(error, 'INVALID_CREDENTIALS')) throw error
        await delay(signInPauseMs)
      }
    }
  }

  async function tokenOf(credentials: Credentials): Promise<string> {
    const { email } = credentials
    const known = sessions.get(email)
    const session = known && (await known)
    if (session && session.untilMs > performance.now()) return session.token
    // Whoever comes first signs in for all.
    if (sessions.get(email) === known) sessions.set(email, signIn(credentials))
    return tokenOf(credentials)
  }

  function credentialsOf(id: string): Credentials {
    return { email: `customer-${id}-${run}@example.com`, password: `market-${id}-${run}` }
  }

  return {
    admin: () => tokenOf(admin),
    customer: (id) => tokenOf(credentialsOf(id)),
    signUp: (ids, onProgress) =>
      inParallel(signUpsAtOnce, ids, async (id) => {
        const body = { ...credentialsOf(id), name: `Customer ${id}` }
        try {
          await client.tell({ method: 'POST', path: '/customers', body })
        } catch (error) {
          // Our own, of a try whose answer was lost.
          if (!isRefused(error, 'EMAIL_TAKEN')) throw error
        }
        onProgress()
      }),
  }
}
