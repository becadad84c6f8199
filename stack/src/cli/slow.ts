import { maxSlowMs } from '../control.ts'
import type { ProcessEntry } from '../supervisor.ts'
import { type Command, usage } from './command.ts'
import { describeProcesses } from './processes.ts'

export const slow: Command = {
  name: 'slow',
  summary: 'Make everything late that is sent to a part; 0 ends it.',
  isLocal: true,
  words: ['<part>', '<ms>'],
  options: {},
  help: `  <part>                a part (carts: all its instances) or one instance (carts-2)
  <ms>                  by how many milliseconds, 0 to ${maxSlowMs}

Callers are sent through a door of the stack that passes things on late. Only services that others
call can be slowed: not the gateways, postgres, the brokers and the card sandbox.`,
  example: 'products 2000',
  async run({ words: [part = '', ms = ''] }, { control, show }) {
    const byMs = /^\d{1,6}$/.test(ms) ? Number(ms) : Number.NaN
    if (!(byMs <= maxSlowMs)) throw usage(`"${ms}" is not a number from 0 to ${maxSlowMs}.`)
    const entries = (await control({ command: 'slow', part, byMs })) as ProcessEntry[]
    show({ json: entries, text: describeProcesses(entries) })
    return true
  },
}
