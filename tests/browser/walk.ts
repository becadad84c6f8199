import assert from 'node:assert/strict'
import type { Page } from 'playwright-core'
import routes from '../../apps/web/src/routes.ts'
import { inspect } from './browser.ts'

type Entry = {
  path?: string | undefined
  file: string
  children?: readonly Entry[] | undefined
}

/** The addresses of all pages below `start`, with `:names` in them, as the table of routes says. */
export function pagesBelow(start: `/${string}`): string[] {
  const pages = listPages(routes, '').map((path) => (path === '' ? '/' : path))
  return pages.filter((path) => path === start || path.startsWith(`${start}/`))
}

/** A route whose module is no component answers with a file or leads elsewhere. */
function listPages(entries: readonly Entry[], before: string): string[] {
  return entries.flatMap(({ path, file, children }) => {
    const here = path === undefined ? before : `${before}/${path}`
    if (children) return listPages(children, here)
    return file.endsWith('.tsx') ? [here] : []
  })
}

export type Walk = {
  start: `/${string}`
  /** Where in `dist/screenshots` the pictures go. */
  folder: string
  /** What stands in an address, by its name there. */
  given: Readonly<Record<string, string>>
  /** Whose browser looks at a page, and what stands behind its address. */
  lookAt: (path: string) => { page: Page; query?: string | undefined }
}

/** Inspects every page below `start`, and an address where there is none. */
export async function walk({ start, folder, given, lookAt }: Walk): Promise<void> {
  for (const pattern of [...pagesBelow(start), `${start}/nowhere`]) {
    const path = pattern.replaceAll(/:(\w+)/g, (_all, name: string) => {
      const value = given[name]
      assert.ok(value, `${pattern}: the walk is given no ${name}.`)
      return value
    })
    const { page, query = '' } = lookAt(pattern)
    const answer = await page.goto(`${path}${query}`)
    assert.equal(answer?.status(), pattern.endsWith('/nowhere') ? 404 : 200, path)
    assert.equal(new URL(page.url()).pathname, path, 'It is that page and no other.')
    const name = pattern === start ? 'index' : pattern.slice(start.length + 1)
    await inspect(page, `${folder}/${name.replaceAll(/[/:]+/g, '-')}`)
  }
}
