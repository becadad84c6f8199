import type { ProcessEntry } from '../supervisor.ts'
import type { Command } from './command.ts'
import { table } from './table.ts'

export const processes: Command = {
  name: 'processes',
  summary: 'Every process of the stack on this machine, and what was done to it.',
  isLocal: true,
  words: [],
  options: {},
  help: 'Exits 1 when one is neither ready nor stopped on purpose.',
  async run(_input, { control, show }) {
    const entries = (await control({ command: 'status' })) as ProcessEntry[]
    show({ json: entries, text: describeProcesses(entries) })
    return entries.every(({ state }) => state === 'ready' || state === 'stopped')
  },
}

/** A table of processes with their state: `frozen`, `ready, 2000 ms late` … */
export function describeProcesses(entries: readonly ProcessEntry[]): string {
  return table(
    ['PART', 'INSTANCE', 'PID', 'RESTARTS', 'STATE'],
    entries.map(({ part, instance, pid, restarts, state, slowedByMs }) => [
      ...[part, instance, String(pid ?? ''), String(restarts)],
      slowedByMs > 0 ? `${state}, ${slowedByMs} ms late` : state,
    ]),
  )
}
