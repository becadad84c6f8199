import type { ProcessEntry } from '../supervisor.ts'
import { type Command, usage } from './command.ts'
import { describeProcesses } from './processes.ts'

export const restart: Command = {
  name: 'restart',
  summary: 'Restart parts one process after another, while requests go on.',
  isLocal: true,
  words: ['[part …]'],
  options: { all: { type: 'boolean' } },
  help: `  [part …]              parts or instances
  --all                 instead of parts: every service and the gateways

Each process finishes what it does, ends, and the next one waits until it is ready again. Where there
is only one, another one serves meanwhile. postgres, the brokers and the card sandbox have no other:
whoever needs them waits while they are restarted.`,
  example: 'carts orders',
  async run({ words, options }, { control, show, progress }) {
    const isAll = options.all === true
    if (isAll === words.length > 0) throw usage('Name the parts to restart, or say --all.')
    const parts = isAll ? 'all' : words
    const entries = (await control({ command: 'restart', parts }, progress)) as ProcessEntry[]
    show({ json: entries, text: describeProcesses(entries) })
    return true
  },
}
