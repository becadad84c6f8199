import { data, redirect } from 'react-router'
import { type Refusal, refusalOf } from '../../server/form.server.ts'
import { notFound, type Page, type PageArgs, pageOf, problemOf } from '../../server/page.server.ts'
import { requireStaff } from '../../server/staff.server.ts'

/** A page of the office, for somebody who may see it. */
export type Office = { page: Page; may(permission: string): boolean }

/** What every loader and action of the office begins with. */
export async function openOffice(args: PageArgs, anyOf: readonly string[]): Promise<Office> {
  const page = pageOf(args)
  const permissions = await requireStaff(page, anyOf)
  return { page, may: (permission) => permissions.has(permission) }
}

/** An id of the address; what is none answers 404. */
export function idOf({ params }: PageArgs, name: string): string {
  const id = params[name] ?? ''
  if (!isId(id)) throw notFound()
  return id
}

/** Whether a text has the form of an id. */
export const isId = (text: string) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)

/** Back to a page that says what was done: a key of `text.done`. */
export function toDone(path: string, done: string, more: Record<string, string> = {}) {
  return redirect(`${path}?${new URLSearchParams({ ...more, done })}`)
}

/** A refusal stays with its form; what is none is thrown on. */
export function refused(error: unknown) {
  return stay(refusalOf(error))
}

/** A form that cannot be sent as it is: the code of the reason, and the fields. */
export function stay(refusal: Refusal) {
  return data({ refusal }, { status: 422 })
}

/** Whether somebody else has changed what a form was about. */
export const isConflict = (error: unknown) => problemOf(error)?.code === 'VERSION_MISMATCH'

/** The query of a list: what of the address is not empty. */
export function queryOf<Name extends string>(
  { url }: Page,
  names: readonly Name[],
): Partial<Record<Name, string>> {
  const found = names.flatMap((name) => {
    const value = (url.searchParams.get(name) ?? '').trim().slice(0, 100)
    return value === '' ? [] : [[name, value] as const]
  })
  return Object.fromEntries(found) as Partial<Record<Name, string>>
}

/** One of the words that a field may hold; undefined for everything else. */
export function oneOf<Word extends string>(
  words: readonly Word[],
  text: string | undefined,
): Word | undefined {
  return words.find((word) => word === text)
}

/**
 * A page of a list. A cursor of yesterday's list begins anew instead of refusing a bookmark.
 */
export async function readPage<T>(page: Page, read: (cursor: string | undefined) => Promise<T>) {
  const cursor = page.url.searchParams.get('cursor') ?? undefined
  try {
    return await read(cursor)
  } catch (error) {
    if (cursor === undefined || problemOf(error)?.code !== 'INVALID_CURSOR') throw error
    return read(undefined)
  }
}
