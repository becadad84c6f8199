import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync, readFileSync, truncateSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { AppError } from '@halles/kit/errors'
import { root } from '../bundle.ts'
import { holderOf, openDataFolder } from '../data-folder.ts'
import { type ProcessesFile, readProcesses } from '../supervisor.ts'
import type { Command, Context, Input } from './command.ts'

// A first start creates the databases and may install brokers.
const openLimitMs = 10 * 60_000
const pollMs = 200

const passedOn = {
  port: { type: 'string' },
  replicas: { type: 'string' },
  host: { type: 'string' },
  'https-port': { type: 'string' },
  certificate: { type: 'string' },
  edge: { type: 'string' },
  brokers: { type: 'boolean' },
  verbose: { type: 'boolean' },
} as const

export const up: Command = {
  name: 'up',
  summary: 'Start the whole platform in the background; ends when it is open.',
  isLocal: true,
  words: [],
  options: passedOn,
  help: `  --port N              port that people use (8080)
  --replicas a=2,b=3    processes of a part
  --host ADDRESS        address to listen on (0.0.0.0)
  --https-port N, --certificate FILE, --edge KIND, --brokers, --verbose
                        as npm start -- --help explains them

What it says goes to DATA/logs/start.log. What runs already is left as it is.`,
  example: '--port 8080 --replicas carts=2',
  async run(input, { dataFolder, env, show, progress }) {
    const folder = resolve(dataFolder)
    const isNew = holderOf(folder) === undefined
    if (isNew) {
      progress('Halles is opening …')
      await open(openDataFolder(folder), input, env)
    }
    const state = readProcesses(folder)
    if (!state) throw notOpened(folder, 'It opened, and wrote no processes.json.')
    const { url, pid, processes } = state
    const json = { url, pid, dataFolder: folder, isNew, processes }
    show({ json, text: describe(folder, state, isNew) })
    return true
  },
}

async function open(folder: string, input: Input, env: Context['env']): Promise<void> {
  mkdirSync(join(folder, 'logs'), { recursive: true, mode: 0o700 })
  const file = join(folder, 'logs', 'start.log')
  const log = openSync(file, 'a', 0o600)
  truncateSync(file)
  // Not npm's child any more: it shall outlive us.
  const { npm_lifecycle_event: _npm, ...rest } = env
  const child = spawn(process.execPath, [join(root, 'stack/src/start.ts'), ...toArguments(input)], {
    env: { ...rest, HALLES_DATA: folder },
    detached: true,
    stdio: ['ignore', log, log],
  })
  closeSync(log)
  const ended = once(child, 'exit').then(() => true)
  const endsAtMs = performance.now() + openLimitMs
  const said = () => readFileSync(file, 'utf8')
  for (;;) {
    const hasEnded = await Promise.race([ended, delay(pollMs, false)])
    if (hasEnded) throw notOpened(folder, said())
    if (said().includes('Halles is open after')) break
    if (performance.now() > endsAtMs) {
      child.kill('SIGTERM')
      throw notOpened(folder, 'It took longer than ten minutes.')
    }
  }
  child.unref()
}

function toArguments({ options }: Input): string[] {
  return ['--background'].concat(
    Object.keys(passedOn).flatMap((name) => {
      const value = options[name]
      if (value === undefined) return []
      return value === true ? [`--${name}`] : [`--${name}`, String(value)]
    }),
  )
}

function notOpened(folder: string, said: string): AppError {
  const words = said.trim().split('\n').slice(-10).join('\n')
  const message = `Halles did not open on ${folder}; DATA/logs/start.log has it all. "doctor" looks for what is wrong here.\n${words}`
  return new AppError('unavailable', 'NOT_OPENED', message)
}

function describe(folder: string, { url, pid, processes }: ProcessesFile, isNew: boolean): string {
  return [
    isNew
      ? `Halles is open: process ${pid}, ${processes.length} processes below it.`
      : `Halles runs already: process ${pid}.`,
    '',
    `  Shop            ${url}/`,
    `  Office          ${url}/office`,
    `  Console         ${url}/console`,
    `  API             ${url}/api/v1`,
    `  Administrator   ${join(folder, 'admin.json')}`,
    `  Data and logs   ${folder}`,
    '',
    'npm run halles -- down stops it.',
  ].join('\n')
}
