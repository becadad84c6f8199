import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { AppError } from '@halles/kit/errors'
import { createKeptProcess, type KeptProcess, type KeptProcessOptions } from './kept-process.ts'
import type { Logs } from './logs.ts'

export type NodeProcessOptions = {
  name: string
  /** The part whose log it writes to. */
  part: string
  script: string
  cwd: string
  /** Asked for at each start: a secret may have been replaced since the last one. */
  env(): Readonly<Record<string, string>>
  logs: Logs
  onChange: KeptProcessOptions['onChange']
  bounds?: Partial<
    Pick<KeptProcessOptions, 'readyTimeoutMs' | 'stopTimeoutMs' | 'backoff' | 'giveUpAfter'>
  >
}

// From our own environment a part gets these alone; the rest is what the topology says.
const inherited = [
  'PATH',
  'HOME',
  'TZ',
  'LANG',
  'LC_ALL',
  'TMPDIR',
  'NODE_OPTIONS',
  'NODE_EXTRA_CA_CERTS',
]

/** A Node process that says `{ type: 'ready' }` over IPC and ends by itself when we do. */
export function createNodeProcess(options: NodeProcessOptions): KeptProcess {
  const { name, part, script, cwd, env, logs } = options
  return createKeptProcess({
    name,
    // First start of a part runs its migrations on a machine that is busy with ten others.
    readyTimeoutMs: 60_000,
    // Longer than a service's own drain (10 s).
    stopTimeoutMs: 15_000,
    backoff: { firstMs: 200, maxMs: 10_000, stableMs: 30_000 },
    giveUpAfter: 3,
    ...options.bounds,
    onChange: options.onChange,
    async launch() {
      if (!existsSync(script)) {
        throw new AppError(
          'unavailable',
          'SOURCE_MISSING',
          `${name} cannot start: ${script} is missing.`,
        )
      }
      const base = inherited.flatMap((key) => {
        const value = process.env[key]
        return value === undefined ? [] : [[key, value]]
      })
      const fd = logs.open(part)
      return spawn(process.execPath, ['--enable-source-maps', script], {
        cwd,
        env: { ...Object.fromEntries(base), ...env() },
        // A group of its own: Ctrl-C reaches us alone, and we stop the parts in order.
        detached: true,
        stdio: ['ignore', fd, fd, 'ipc'],
      })
    },
    untilReady: (child, signal) => untilReadyMessage(child, signal),
    askToStop(child, isHurried) {
      // As when we are gone: it finishes what it does, and waits for nobody.
      if (isHurried && child.connected) child.disconnect()
      else child.kill('SIGTERM')
    },
  })
}

function untilReadyMessage(child: ChildProcess, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    child.on('message', (message) => {
      if (typeof message === 'object' && 'type' in message && message.type === 'ready')
        resolve(true)
    })
    signal.addEventListener('abort', () => resolve(false), { once: true })
  })
}
