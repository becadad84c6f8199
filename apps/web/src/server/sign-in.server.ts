import { setTimeout as pause } from 'node:timers/promises'
import { claimCart } from './cart.server.ts'
import { type Page, problemOf, toThrown } from './page.server.ts'

/** Signs in, brings the basket along and learns the name that the header shows. */
export async function signIn(
  page: Page,
  credentials: { email: string; password: string },
): Promise<void> {
  try {
    const { device } = page
    await page.visit.signIn({ ...credentials, ...(device === undefined ? {} : { device }) })
  } catch (error) {
    throw asRefusal(error, page)
  }
  // Neither is worth refusing a sign-in for: the basket and the profile ask again by themselves.
  await Promise.all([
    orLater(page, claimCart(page)),
    orLater(
      page,
      page.call('getMe', {}).then(({ data: { name } }) => rememberName(page, name)),
    ),
  ])
}

async function rememberName(page: Page, name: string): Promise<void> {
  await page.visit.keep(({ secrets }) => ({ secrets: { ...secrets, name } }))
}

async function orLater(page: Page, work: Promise<void>): Promise<void> {
  try {
    await work
  } catch (error) {
    const problem = problemOf(error)
    if (!problem) throw error
    page.visit.log.warn({ code: problem.code, part: problem.part }, 'A sign-in was not complete.')
  }
}

// Credentials reach auth by a message, usually within 100 ms; the waits add up to 3.2 s.
const waitsMs = [100, 200, 400, 900, 1_600]

/** The first sign-in after a sign-up; false when the credentials have not arrived in time. */
export async function signInWhenKnown(
  page: Page,
  credentials: { email: string; password: string },
): Promise<boolean> {
  for (const waitMs of waitsMs) {
    await pause(waitMs)
    try {
      await signIn(page, credentials)
      return true
    } catch (error) {
      if (problemOf(error)?.code !== 'INVALID_CREDENTIALS') throw error
    }
  }
  return false
}

/** A 401 here is a wrong password, not a session that has ended. */
function asRefusal(error: unknown, page: Page): unknown {
  const isApiProblem = error instanceof Error && error.name === 'ApiProblem' && 'problem' in error
  if (!isApiProblem) return error
  const { problem } = error as unknown as { problem: { status: number } }
  if (problem.status === 401) problem.status = 422
  return toThrown(error, page)
}
