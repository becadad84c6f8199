import { useRouteLoaderData } from 'react-router'
import type { Language } from './language.ts'

/** What the root's loader tells every page. */
export type RootData = { language: Language; publicUrl: string }

/** The language of the page. */
export function useLanguage(): Language {
  return useRouteLoaderData<RootData>('root')?.language ?? 'en'
}
