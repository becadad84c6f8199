export const languages = ['en', 'fr'] as const
export type Language = (typeof languages)[number]

/** English has no prefix; French pages are below `/fr`. */
export function languageOfPath(pathname: string): Language {
  return /^\/fr(\/|\.data$|$)/.test(pathname) ? 'fr' : 'en'
}

/** A path of the shop in a language: `/cart` → `/fr/cart`. */
export function localPath(language: Language, path: string): string {
  if (language === 'en') return path
  return path === '/' ? '/fr' : `/fr${path}`
}

/** The same page in another language. */
export function pathInLanguage(pathname: string, language: Language): string {
  const plain = pathname.replace(/^\/fr(?=\/|$)/, '') || '/'
  return localPath(language, plain)
}

/** For areas without a language in their address: the cookie's, else the browser's first. */
export function preferredLanguage(headers: Headers): Language {
  const chosen = /(?:^|;\s*)language=(en|fr)\b/.exec(headers.get('cookie') ?? '')?.[1]
  if (chosen) return chosen as Language
  return /^\s*fr\b/i.test(headers.get('accept-language') ?? '') ? 'fr' : 'en'
}
