import { problem } from '../office/words-en.ts'
import { mapWords } from './en-map.ts'
import { workWords } from './en-work.ts'

/** The console in English; `fr.ts` has the same keys. */
export const en = {
  title: 'Console',
  nav: 'Console',
  shop: 'To the shop',
  office: 'Office',
  overview: 'Living picture',
  present: 'Present',
  signOut: 'Sign out',
  pages: 'Pages',
  first: 'To the beginning',
  next: 'Further',
  all: 'All',
  search: 'Show',
  map: mapWords,
  work: workWords,
  problem,
}

export type ConsoleText = typeof en
