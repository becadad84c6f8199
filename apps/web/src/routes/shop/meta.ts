import type { MetaDescriptor } from 'react-router'
import { type Language, languages, pathInLanguage } from '../../text/language.ts'
import type { ShopText } from '../../text/shop/en.ts'
import { shopText } from '../../text/shop-text.ts'

type PageData = {
  /** The page's own address, without a query. */
  url: string
  language: Language
}

const locales: Record<Language, string> = { en: 'en_IE', fr: 'fr_FR' }

/** What search engines and shared links need of a page of the shop. */
export function metaOf(
  page: PageData & {
    title: string
    description?: string
    /** An address on our site. */
    image?: string
    /** Pages of one visitor are not for search engines. */
    isPersonal?: boolean
  },
): MetaDescriptor[] {
  const { title, description, url, image, language, isPersonal = false } = page
  const { origin, pathname } = new URL(url)
  const at = (other: Language) => `${origin}${pathInLanguage(pathname, other)}`
  const alternate = (hrefLang: string, href: string) => ({
    ...{ tagName: 'link', rel: 'alternate', hrefLang, href },
  })
  if (isPersonal) return [{ title }, { name: 'robots', content: 'noindex' }]
  return [
    { title },
    ...(description
      ? [
          { name: 'description', content: description.slice(0, 300) },
          { property: 'og:description', content: description.slice(0, 300) },
        ]
      : []),
    { property: 'og:title', content: title },
    { property: 'og:type', content: 'website' },
    { property: 'og:url', content: url },
    { property: 'og:locale', content: locales[language] },
    ...(image ? [{ property: 'og:image', content: new URL(image, origin).href }] : []),
    { tagName: 'link', rel: 'canonical', href: url },
    ...languages.map((each) => alternate(each, at(each))),
    alternate('x-default', at('en')),
  ]
}

/** `meta` of a page of one visitor. @param titleOf its name, without the shop's. */
export function personalMeta<Data extends PageData>(
  titleOf: (text: ShopText, data: Data) => string,
) {
  return ({ loaderData }: { loaderData?: Data | undefined }): MetaDescriptor[] => {
    if (!loaderData) return []
    const text = shopText(loaderData.language)
    return metaOf({
      ...loaderData,
      title: `${titleOf(text, loaderData)} · ${text.name}`,
      isPersonal: true,
    })
  }
}
