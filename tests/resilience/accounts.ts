import { eventually } from '@halles/kit/testing'
import type { Answer, Api } from '../e2e/api.ts'
import { unique } from '../e2e/shop.ts'
import type { Step } from './workload.ts'

/** A customer whose password changes again and again. */
export type Account = {
  id: string
  email: string
  /** Every password that was accepted, in order; the last is the newest, and the only good one. */
  passwords: string[]
  /** Asked for without an answer: may be in force or not. */
  unanswered?: string | undefined
  sessions: Session[]
  /** Sign-ins that failed since the last one that worked. */
  failures: number
  /** When to try the next sign-in. */
  notBefore: number
}

export type Session = {
  id: string
  token: string
  refreshToken: string
  /** The place in `passwords` of the one that opened it. */
  opensWith: number
  /** The gateway has refused it. */
  isRefused: boolean
  /** Token and refresh token were seen to be dead after a newer password was in force. */
  isBuried: boolean
}

/** The newest password that was accepted. */
export function newestOf({ passwords }: Account): string {
  return passwords[passwords.length - 1] ?? ''
}

/** Signs in as soon as the newest password has reached auth. */
export async function openSession(api: Api, account: Account): Promise<Session> {
  return eventually(
    async () => {
      const step = await signIn(api, account, newestOf(account))
      if (typeof step === 'string') throw new Error(`${account.id} could not sign in.`)
      return step
    },
    // Ten failed sign-ins would lock the e-mail for a while, so this asks seldom.
    { limitMs: 15_000, intervalMs: 2_000 },
  )
}

/** One step of one customer: signs in if the session is dead, else changes the password. */
export async function changePassword(api: Api, account: Account): Promise<Step> {
  const session = account.sessions.at(-1)
  if (!session || session.isRefused) return signInAgain(api, account)
  const inDoubt = account.unanswered
  const to = inDoubt ?? `market-${unique()}`
  const body = { currentPassword: newestOf(account), newPassword: to }
  account.unanswered = to
  const answer = await attempt(() => api.send('changePassword', { token: session.token, body }))
  if (answer?.status === 202) return accept(account)
  if (answer?.status === 401) {
    session.isRefused = true
    // Refused before anything was done: only an earlier try can be in doubt.
    account.unanswered = inDoubt
    return 'waiting'
  }
  // The current password is no longer good: the earlier try at this change was applied.
  if (answer && codeOf(answer) === 'WRONG_PASSWORD') return accept(account)
  refuseUnlessDown(answer)
  return 'unanswered'
}

async function signInAgain(api: Api, account: Account): Promise<Step> {
  if (performance.now() < account.notBefore) return 'waiting'
  const { unanswered, failures } = account
  // With a change in doubt, the two passwords take turns.
  const isOther = unanswered !== undefined && failures % 2 === 1
  const step = await signIn(api, account, isOther ? unanswered : newestOf(account))
  if (typeof step === 'string') return step
  if (isOther) {
    step.opensWith += 1
    return accept(account)
  }
  return 'waiting'
}

// The command with the newest password may be behind a broker that is down; ten failures in a row
// would lock the e-mail, so the pauses grow: half a minute of patience within nine tries.
const firstPauseMs = 500
const longestPauseMs = 5_000
const mostFailures = 9

/** Opens a session, which the account remembers, or says why there is none. */
export async function signIn(
  api: Api,
  account: Account,
  password: string,
): Promise<Session | Step> {
  if (account.failures >= mostFailures) {
    throw new Error(`${account.id} could not sign in ${mostFailures} times in a row.`)
  }
  const body = { email: account.email, password }
  const answer = await attempt(() => api.send('signIn', { body }))
  if (answer?.status === 201) {
    const { accessToken: token, refreshToken } = answer.body as {
      accessToken: string
      refreshToken: string
    }
    const opensWith = account.passwords.length - 1
    const session = {
      id: sessionIdOf(token),
      token,
      refreshToken,
      opensWith,
      isRefused: false,
      isBuried: false,
    }
    account.sessions.push(session)
    account.failures = 0
    return session
  }
  const pauseMs = Math.min(firstPauseMs * 2 ** account.failures, longestPauseMs)
  account.notBefore = performance.now() + pauseMs
  if (answer?.status !== 401) {
    refuseUnlessDown(answer)
    return 'unanswered'
  }
  account.failures += 1
  return 'waiting'
}

function accept(account: Account): Step {
  if (account.unanswered === undefined) throw new Error('Nothing was asked for.')
  account.passwords.push(account.unanswered)
  account.unanswered = undefined
  return 'accepted'
}

/** Undefined when no answer came: the connection was lost or refused. */
export async function attempt(send: () => Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await send()
  } catch (error) {
    if (error instanceof TypeError || (error instanceof Error && error.name === 'TimeoutError')) {
      return undefined
    }
    throw error
  }
}

/** A part that is down may answer 5xx; any other answer is a fault of these tests or of a service. */
export function refuseUnlessDown(answer: Answer | undefined): void {
  if (answer && answer.status < 500) {
    throw new Error(`Answered ${answer.status}: ${JSON.stringify(answer.body)}`)
  }
}

export function codeOf({ body }: Answer): string | undefined {
  return typeof body === 'object' && body !== null && 'code' in body ? String(body.code) : undefined
}

function sessionIdOf(token: string): string {
  const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
  return (claims as { sid: string }).sid
}
