import { redirect } from 'react-router'
import { type Page, signInPath, thrownProblem, toThrown } from './page.server.ts'

/** What the office and the console offer to whom. */
export const officePermissions = [
  'products:read',
  'products:write',
  'orders:read',
  'orders:write',
  'customers:read',
  'rbac:read',
  'rbac:write',
] as const

/**
 * Lets in who is signed in and has one of the permissions; sends others to the sign-in or answers
 * 403. Every loader of the office and the console begins with it. It only hides: what a role may
 * not do is refused by the services.
 */
export async function requireStaff(
  page: Page,
  anyOf: readonly string[],
): Promise<ReadonlySet<string>> {
  if (!page.visit.isSignedIn) throw redirect(signInPath(page))
  const permissions = await page.visit.permissions().catch((error: unknown) => {
    throw toThrown(error, page)
  })
  if (anyOf.some((permission) => permissions.has(permission))) return permissions
  throw thrownProblem({ status: 403, code: 'PERMISSION_DENIED', part: 'web', detail: '' })
}
