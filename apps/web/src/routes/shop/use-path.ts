import { localPath } from '../../text/language.ts'
import { useLanguage } from '../../text/use-language.ts'

/** Makes addresses of the shop in the page's language: `/cart` → `/fr/cart`. */
export function usePath(): (to: string) => string {
  const language = useLanguage()
  return (to) => localPath(language, to)
}
