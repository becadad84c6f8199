import type { Language } from './language.ts'
import type { ShopText } from './shop/en.ts'
import { useLanguage } from './use-language.ts'

const held = new Map<Language, ShopText>()

/** Makes a language known: both on the server, the page's own in the browser. */
export function provideShopText(language: Language, text: ShopText): void {
  held.set(language, text)
}

/** The shop's words in a language; for `meta` and loaders. */
export function shopText(language: Language): ShopText {
  const text = held.get(language)
  if (!text) throw new Error(`The words in "${language}" were not loaded.`)
  return text
}

/** The shop's words in the page's language. */
export function useShopText(): ShopText {
  return shopText(useLanguage())
}
