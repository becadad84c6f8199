import type { MetaDescriptor } from 'react-router'
import { type Language, languages, pathInLanguage } from '../../text/language.ts'

/** What search engines and shared links need of a page of the shop. */
export function metaOf(page: {
  title: string
  description?: string
  /** The page's own address, without a query. */
  url: string
  language: Language
  /** Pages of one visitor are not for search engines. */
  isPersonal?: boolean
}): MetaDescriptor[] {
  const { title, description, url, isPersonal = false } = page
  const { origin, pathname } = new URL(url)
  const at = (language: Language) => `${origin}${pathInLanguage(pathname, language)}`
  return [
    { title },
    ...(description ? [{ name: 'description', content: description.slice(0, 300) }] : []),
    { property: 'og:title', content: title },
    ...(isPersonal
      ? [{ name: 'robots', content: 'noindex' }]
      : [
          { tagName: 'link', rel: 'canonical', href: url },
          ...languages.map((language) => ({
            tagName: 'link',
            rel: 'alternate',
            hrefLang: language,
            href: at(language),
          })),
        ]),
  ]
}
