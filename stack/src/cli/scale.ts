import { maxReplicas } from '../control.ts'
import type { ProcessEntry } from '../supervisor.ts'
import { type Command, usage } from './command.ts'
import { describeProcesses } from './processes.ts'

export const scale: Command = {
  name: 'scale',
  summary: 'Have so many processes of a part, while requests go on.',
  isLocal: true,
  words: ['<part=count>', '[part=count …]'],
  options: {},
  help: `  <part=count>          auth=3: from 1 to ${maxReplicas}

New ones get requests when they are ready; of the others those with the highest numbers get no more,
finish what they do and end. It lasts until the stack stops; npm start -- --replicas has it again.`,
  example: 'auth=3 carts=2',
  async run({ words }, { control, show, progress }) {
    const replicas = Object.fromEntries(words.map(toCount))
    if (Object.keys(replicas).length < words.length) throw usage('Name each part once.')
    const entries = (await control({ command: 'scale', replicas }, progress)) as ProcessEntry[]
    show({ json: entries, text: describeProcesses(entries) })
    return true
  },
}

function toCount(word: string): [part: string, count: number] {
  const [, part = '', digits = ''] = /^([a-z-]+)=(\d{1,2})$/.exec(word) ?? []
  const count = Number(digits)
  if (part !== '' && count >= 1 && count <= maxReplicas) return [part, count]
  throw usage(`"${word}" is not a part and a count from 1 to ${maxReplicas}, such as auth=3.`)
}
