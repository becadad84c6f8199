import { redirect } from 'react-router'
import { localPath, preferredLanguage } from '../text/language.ts'
import type { Page } from './page.server.ts'

/**
 * The payment provider knows one address for all languages: sends on to the page of the language in
 * which was bought, once, so that the visitor may choose another there.
 * @throws a redirect.
 */
export function inPreferredLanguage(page: Page, headers: Headers): void {
  const language = preferredLanguage(headers)
  if (page.language === language || page.url.searchParams.has('here')) return
  const query = new URLSearchParams(page.url.searchParams)
  query.set('here', '1')
  const plain = page.url.pathname.replace(/\.data$/, '').replace(/^\/fr(?=\/)/, '')
  throw redirect(`${localPath(language, plain)}?${query}`)
}
