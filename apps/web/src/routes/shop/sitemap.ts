import type { LoaderFunctionArgs } from 'react-router'
import { type Page, pageOf, problemOf } from '../../server/page.server.ts'
import { listStalls } from '../../server/stalls.server.ts'
import { languages, localPath } from '../../text/language.ts'

// A sitemap may have 50,000 addresses; a page of the API has a hundred products.
const maxPages = 200
// Robots come when they like; the catalogue is read at most this often for them.
const freshMs = 600_000
let held: { slugs: Promise<readonly string[]>; atMs: number } | undefined

/** Every page of the shop that search engines may show, each with its other language. */
export async function loader(args: LoaderFunctionArgs): Promise<Response> {
  const page = pageOf(args)
  try {
    const [stalls, slugs] = await Promise.all([listStalls(page), listSlugs(page)])
    const paths = [
      '/',
      '/search',
      ...stalls.map(({ slug }) => `/stalls/${slug}`),
      ...slugs.map((slug) => `/products/${slug}`),
    ]
    return new Response(toXml(page.visit.publicUrl, paths), {
      headers: {
        'content-type': 'application/xml; charset=utf-8',
        'cache-control': 'public, max-age=3600',
      },
    })
  } catch (error) {
    if (!problemOf(error)) throw error
    return new Response('', { status: 503, headers: { 'retry-after': '60' } })
  }
}

async function listSlugs(page: Page): Promise<readonly string[]> {
  if (!held || Date.now() - held.atMs > freshMs) held = { slugs: readSlugs(page), atMs: Date.now() }
  const current = held
  try {
    return await current.slugs
  } catch (error) {
    if (held === current) held = undefined
    throw error
  }
}

async function readSlugs(page: Page): Promise<string[]> {
  const slugs: string[] = []
  let cursor: string | null = null
  for (let read = 0; read < maxPages; read++) {
    const query: { limit: number; sort: 'newest'; cursor?: string } = {
      ...{ limit: 100, sort: 'newest' },
      ...(cursor && { cursor }),
    }
    const { data } = await page.call('listProducts', { query })
    slugs.push(...data.items.map(({ slug }) => slug))
    cursor = data.nextCursor
    if (cursor === null) break
  }
  return slugs
}

function toXml(origin: string, paths: readonly string[]): string {
  const alternates = (path: string) =>
    languages
      .map((each) => [each, origin + localPath(each, path)])
      .map(
        ([hreflang, href]) => `<xhtml:link rel="alternate" hreflang="${hreflang}" href="${href}"/>`,
      )
      .join('')
  const urls = paths.flatMap((path) =>
    languages.map(
      (language) =>
        `<url><loc>${origin}${localPath(language, path)}</loc>${alternates(path)}</url>`,
    ),
  )
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:xhtml="http://www.w3.org/1999/xhtml">',
    ...urls,
    '</urlset>',
    '',
  ].join('\n')
}
