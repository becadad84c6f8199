import type { LoaderFunctionArgs } from 'react-router'
import { pageOf } from '../../server/page.server.ts'
import { languages, localPath } from '../../text/language.ts'

const personal = ['/cart', '/checkout', '/account', '/orders', '/wishlist', '/sign-in', '/sign-up']

/** Where search engines need not look, and where the list of pages is. */
export function loader(args: LoaderFunctionArgs): Response {
  const { publicUrl } = pageOf(args).visit
  const closed = languages.flatMap((language) => personal.map((path) => localPath(language, path)))
  const lines = ['/office', '/console', '/api/', ...closed].map((path) => `Disallow: ${path}`)
  const body = ['User-agent: *', ...lines, '', `Sitemap: ${publicUrl}/sitemap.xml`, ''].join('\n')
  return new Response(body, {
    headers: {
      'content-type': 'text/plain; charset=utf-8',
      'cache-control': 'public, max-age=3600',
    },
  })
}
