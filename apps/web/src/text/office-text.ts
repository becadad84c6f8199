import { en, type OfficeText } from './office/en.ts'
import { fr } from './office/fr.ts'
import { useLanguage } from './use-language.ts'

export const officeTexts = { en, fr }

/** The office's words in the page's language. */
export function useOfficeText(): OfficeText {
  return officeTexts[useLanguage()]
}
