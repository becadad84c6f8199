import { attempt } from '../../server/page.server.ts'
import type { Office } from './office.server.ts'

export type Person = { id: string; name: string; email: string }

// What one call may ask for.
const perCall = 50

/**
 * Names for ids, by id; without the permission to read customers, or when they are away, there are
 * none, and the ids stand for themselves.
 */
export async function findPeople({ page, may }: Office, ids: readonly string[]) {
  const people = new Map<string, Person>()
  const asked = [...new Set(ids)].slice(0, 4 * perCall)
  if (!may('customers:read')) return people
  for (let start = 0; start < asked.length; start += perCall) {
    const query = { ids: asked.slice(start, start + perCall).join(','), limit: perCall }
    const { data } = await attempt(page.call('listCustomers', { query }))
    for (const { id, name, email } of data?.data.items ?? []) people.set(id, { id, name, email })
  }
  return people
}
