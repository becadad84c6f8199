import type { Language } from '../text/language.ts'

const yearSeconds = 31_536_000

/** Remembers a language for the addresses that name none: office, console, the way back from paying. */
export function languageCookie(language: Language, publicUrl: string): string {
  const secure = publicUrl.startsWith('https:') ? '; Secure' : ''
  return `language=${language}; Path=/; SameSite=Lax; HttpOnly; Max-Age=${yearSeconds}${secure}`
}
