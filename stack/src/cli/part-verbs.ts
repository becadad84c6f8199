import type { ProcessEntry } from '../supervisor.ts'
import type { Command } from './command.ts'
import { describeProcesses } from './processes.ts'

type Verb = 'start' | 'stop' | 'kill' | 'freeze' | 'thaw'

/** What is done to a part or to one instance, with nothing more to say about it. */
function partVerb(name: Verb, summary: string, help: string): Command {
  return {
    ...{ name, summary, isLocal: true, words: ['<part>'], options: {} },
    help: `  <part>                a part (carts: all its instances) or one instance (carts-2)\n\n${help}`,
    example: 'carts',
    async run({ words: [part = ''] }, { control, show }) {
      const entries = (await control({ command: name, part })) as ProcessEntry[]
      show({ json: entries, text: describeProcesses(entries) })
      return true
    },
  }
}

export const start = partVerb(
  'start',
  'Start what was stopped.',
  'Ends when it is ready and its callers have found it.',
)

export const stop = partVerb(
  'stop',
  'Let a part finish what it does and end.',
  'It stays stopped until it is started. What does not end in its time is killed.',
)

export const kill = partVerb(
  'kill',
  'End a part at once (SIGKILL), as a crash would.',
  'It is started again by itself, as after any crash. postgres and the brokers can be killed too.',
)

export const freeze = partVerb(
  'freeze',
  'Let a part stand still (SIGSTOP): it takes connections and never answers.',
  'Until it is thawed, stopped or killed. postgres and the brokers can be frozen too, with every\nprocess of theirs.',
)

export const thaw = partVerb('thaw', 'Let go on what was frozen.', 'Others are left as they are.')
