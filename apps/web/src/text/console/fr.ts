import type { ConsoleText } from './en.ts'

/** La console en français. */
export const fr: ConsoleText = {
  title: 'Console',
  nav: 'Console',
  shop: 'Vers la boutique',
  office: 'Bureau',
  overview: 'Vue d’ensemble',
  parts: 'Parties',
  part: 'Partie',
  instance: 'Instance',
  address: 'Adresse',
  state: 'État',
  states: {
    ready: 'prête',
    starting: 'démarre',
    draining: 's’arrête',
    unreachable: 'injoignable',
  },
  instances: 'Instances prêtes',
  deadLetters: 'Lettres mortes',
  waiting: 'Commandes en attente',
  lag: 'Événements en retard',
  cache: 'Réponses du cache',
  asOf: (time) => `État à ${time} UTC`,
  signOut: 'Se déconnecter',
}
