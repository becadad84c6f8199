import { problem } from '../office/words-fr.ts'
import type { ConsoleText } from './en.ts'
import { mapWords } from './fr-map.ts'
import { workWords } from './fr-work.ts'

/** La console en français. */
export const fr: ConsoleText = {
  title: 'Console',
  nav: 'Console',
  shop: 'Vers la boutique',
  office: 'Bureau',
  overview: 'Image vivante',
  present: 'Présenter',
  signOut: 'Se déconnecter',
  pages: 'Pages',
  first: 'Au début',
  next: 'Suite',
  all: 'Tous',
  search: 'Afficher',
  map: mapWords,
  work: workWords,
  problem,
}
