import { spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { AppError } from '@halles/kit/errors'
import { readText } from '../files.ts'
import { createKeptProcess, type KeptProcess, type KeptProcessOptions } from '../kept-process.ts'
import { commandOf, signalProcess, startMark, untilGone } from '../processes.ts'

/** What all brokers share: where they live and who hears of them. */
export type BrokerSetting = {
  /** Holds the broker's data and settings. */
  folder: string
  /** Killed instead of stopped, and its folder is removed, also when we were killed. */
  isTemporary: boolean
  logFd: number
  /** The last lines of its log, to explain a failure. */
  logTail(): string[]
  onChange: KeptProcessOptions['onChange']
}

export type BrokerCommand = {
  name: string
  command: readonly string[]
  /** A command without quotes that runs beside the broker. */
  helper?: string
  env?: Readonly<Record<string, string>>
  /** Whether it takes work; asked again until it does. */
  isAnswering(): Promise<boolean>
}

export type KeptBroker = KeptProcess & {
  ports: Readonly<Record<string, number>>
  /** The broker's own process, not its guard's. */
  serverPid(): number | undefined
}

// Services drain within this time after the parent died, then lose their connections.
const drainSeconds = 3
// Kafka closes its log segments, RabbitMQ syncs its queues; on a slow disk that takes seconds.
const stopSeconds = 20
const pauseMs = 50

const pidFileOf = (folder: string) => join(folder, 'pids')

/**
 * A broker that is restarted when it dies and stopped by a guard when we do.
 * Throws an AppError with its last words when it cannot start.
 */
export function createKeptBroker(
  setting: BrokerSetting,
  { name, command, helper = '', env = {}, isAnswering }: BrokerCommand,
): Omit<KeptBroker, 'ports'> {
  const { folder, isTemporary } = setting
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const guard = join(import.meta.dirname, 'guard.sh')
  const bounds = [isTemporary ? 0 : drainSeconds, isTemporary ? 0 : stopSeconds].map(String)
  const args = [...bounds, pidFileOf(folder), isTemporary ? folder : '', helper, ...command]

  const kept = createKeptProcess({
    name,
    async launch() {
      // Left over when the guard itself was killed; two servers must not share the data.
      await stopLivingBroker(folder)
      const child = spawn('/bin/sh', [guard, ...args], {
        // A group of its own: Ctrl-C must reach the services first, and in our order.
        detached: true,
        cwd: folder,
        env: { PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', ...env },
        stdio: ['pipe', setting.logFd, setting.logFd],
      })
      // What is left of a guard that was killed waits for this end.
      child.once('exit', () => child.stdin?.destroy())
      // A guard that ended before it read the word "stop" has stopped already.
      child.stdin?.on('error', () => undefined)
      return child
    },
    async untilReady(_child, signal) {
      while (!signal.aborted) {
        if (await isAnswering()) return true
        await delay(pauseMs)
      }
      return false
    },
    askToStop: (child) => child.stdin?.end('stop\n'),
    // A JVM or an Erlang system on a busy machine of two cores takes 20 s; recovery adds to it.
    readyTimeoutMs: 90_000,
    stopTimeoutMs: (stopSeconds + 5) * 1_000,
    backoff: { firstMs: 200, maxMs: 5_000, stableMs: 30_000 },
    giveUpAfter: 3,
    onChange: setting.onChange,
  })

  return {
    ...kept,
    serverPid: () => readRunning(folder)[0],
    async start() {
      try {
        await kept.start()
      } catch (error) {
        if (error instanceof AppError) throw error
        const words = setting.logTail().map((line) => `\n  ${line.slice(0, 600)}`)
        const message = `${name} did not start. Its last words:${words.join('')}`
        throw new AppError('unavailable', 'BROKER_FAILED', message, { cause: error })
      }
    },
  }
}

/** The processes of the broker that still run: its own first. */
function readRunning(folder: string): number[] {
  const lines = readText(pidFileOf(folder))?.trim().split('\n') ?? []
  return lines.flatMap((line) => {
    const [pid = '', mark = ''] = line.split(' ')
    const isSame = commandOf(Number(pid)) !== '' && startMark(Number(pid)) === mark
    return isSame ? [Number(pid)] : []
  })
}

/** Stops a broker that an earlier start left on this folder. */
export async function stopLivingBroker(folder: string): Promise<void> {
  for (const pid of readRunning(folder)) {
    signalProcess(pid, 'SIGTERM')
    if (await untilGone(pid, stopSeconds * 1_000)) continue
    signalProcess(pid, 'SIGKILL')
    if (await untilGone(pid, 5_000)) continue
    const message = `Process ${pid} holds ${folder} and does not end. End it, then start again.`
    throw new AppError('conflict', 'BROKER_STILL_RUNNING', message)
  }
}
