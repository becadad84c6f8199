import { resolve } from 'node:path'
import { AppError } from '@halles/kit/errors'
import { holderOf } from '../data-folder.ts'
import { signalProcess, untilGone } from '../processes.ts'
import type { Command } from './command.ts'

// Each stage of parts has 15 s, and PostgreSQL; Kafka takes longest.
const stopLimitMs = 120_000

export const down: Command = {
  name: 'down',
  summary: 'Stop the platform: what is under way is finished first.',
  isLocal: true,
  words: [],
  options: {},
  help: 'Also what npm start runs in another terminal. The data stays.',
  async run(_input, { dataFolder, show, progress }) {
    const folder = resolve(dataFolder)
    const holder = holderOf(folder)
    if (!holder) {
      show({ json: { wasRunning: false }, text: `No stack runs on ${folder}.` })
      return true
    }
    const { pid } = holder
    progress(`Process ${pid} is closing: what is under way is finished first …`)
    signalProcess(pid, 'SIGTERM')
    if (!(await untilGone(pid, stopLimitMs))) {
      const message = `Process ${pid} has not ended after two minutes. processes says what hangs; kill -9 ${pid} ends it at once, and the next start cleans up.`
      throw new AppError('timeout', 'NOT_STOPPED', message)
    }
    show({ json: { wasRunning: true, pid }, text: 'Halles is closed.' })
    return true
  },
}
