import { type ConsoleText, en } from './console/en.ts'
import { fr } from './console/fr.ts'
import { useLanguage } from './use-language.ts'

export const consoleTexts = { en, fr }

/** The console's words in the page's language. */
export function useConsoleText(): ConsoleText {
  return consoleTexts[useLanguage()]
}
