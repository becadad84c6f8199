import { versionFromIfMatch } from '@halles/kit/http-server'
import { type Caller, requireCaller } from '@halles/kit/tokens'
import type { Edit } from '../use-cases/products.ts'

/** As the database writes it, so that it can be compared with what it answers. */
export function variantIdOf({ variantId }: { variantId: string }): string {
  return variantId.toLowerCase()
}

export function subjectOf(caller: Caller | undefined): string {
  return requireCaller(caller).subjectId
}

export function editOf(by: string, headers: { 'if-match'?: string }): Edit {
  const ifMatch = headers['if-match']
  return { by, expectedVersion: ifMatch === undefined ? undefined : versionFromIfMatch(ifMatch) }
}
