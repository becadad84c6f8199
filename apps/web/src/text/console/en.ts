/** The console in English; `fr.ts` has the same keys. */
export const en = {
  title: 'Console',
  nav: 'Console',
  shop: 'To the shop',
  office: 'Office',
  overview: 'Overview',
  parts: 'Parts',
  part: 'Part',
  instance: 'Instance',
  address: 'Address',
  state: 'State',
  states: {
    ready: 'ready',
    starting: 'starting',
    draining: 'draining',
    unreachable: 'unreachable',
  },
  instances: 'Instances ready',
  deadLetters: 'Dead letters',
  waiting: 'Commands waiting',
  lag: 'Events behind',
  cache: 'Cache hits',
  asOf: (time: string) => `As of ${time} UTC`,
  signOut: 'Sign out',
}

export type ConsoleText = typeof en
