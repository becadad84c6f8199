import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { AppError } from '@halles/kit/errors'
import { isBundled } from './bundle.ts'
import { checkFreeSpace } from './data-folder.ts'
import { createEmbeddedPostgres, type EmbeddedPostgres } from './embedded-postgres.ts'
import type { KeptProcessOptions } from './kept-process.ts'
import type { Logs } from './logs.ts'
import { checkChoice, type MessagingChoice, recordChoice } from './messaging-choice.ts'
import { createDatabases, createExtensions, fingerprint } from './postgres-databases.ts'
import { findPostgresHome, saveHome } from './postgres-home.ts'
import type { Report } from './report.ts'
import {
  type BrokersWanted,
  choiceOf,
  openStackBrokers,
  type StackBrokers,
} from './stack-brokers.ts'
import type { Member } from './supervisor.ts'
import { databasePlans, type Platform } from './topology.ts'
import { buildPages } from './web-pages.ts'

export type ServersOptions = {
  undo: (() => void | Promise<void>)[]
  signal: AbortSignal
  brokers: BrokersWanted
  connections: number
  entries: readonly string[]
  logs: Logs
  report: Report
  watch(name: string): KeptProcessOptions['onChange']
}

/** Starts what the parts need: PostgreSQL and the brokers, while their sources are bundled. */
export async function openServers(platform: Platform, options: ServersOptions) {
  const { brokers: wanted, undo, signal, logs, report, watch } = options
  const { dataFolder } = platform
  const choice = choiceOf(wanted)
  checkChoice(dataFolder, choice)
  // The first failure is reported when the others have ended as well, so that nothing runs on.
  const [bundled, opened, connected] = await Promise.allSettled([
    Promise.all([bundleIfChanged(options.entries, report), buildPages(report)]),
    openDatabase(platform, { ...options, choice, onChange: watch('postgres') }),
    openStackBrokers(wanted, { dataFolder, logs, report, onChange: watch }, signal),
  ])
  if (connected.status === 'fulfilled') undo.push(connected.value.stop)
  if (bundled.status === 'rejected') throw bundled.reason
  if (opened.status === 'rejected') throw opened.reason
  if (connected.status === 'rejected') throw connected.reason
  signal.throwIfAborted()
  recordChoice(dataFolder, choice)
  return { postgres: opened.value, brokers: connected.value }
}

/** The servers as members of the stack: they start first and stop last. */
export function serverMembers(postgres: EmbeddedPostgres, brokers: StackBrokers['kept']): Member[] {
  const database: Member = {
    ...{ part: 'postgres', instance: 'postgres', ports: { postgres: postgres.port }, stage: 0 },
    ...{ process: postgres, pid: postgres.serverPid },
  }
  const others = [...brokers].map(([name, broker]): Member => {
    const { ports, serverPid: pid } = broker
    return { part: name, instance: name, ports, stage: 0, process: broker, pid }
  })
  return [database, ...others]
}

/** In a process of its own, so that the bundler's memory is gone afterwards. */
async function bundleIfChanged(entries: readonly string[], report: Report): Promise<void> {
  if (isBundled(entries)) return
  const startedAtMs = performance.now()
  const script = join(import.meta.dirname, 'bundle.ts')
  // Half a second of work; a disk that hangs must not hang the start for ever.
  const child = spawn(process.execPath, [script, ...entries], {
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: 120_000,
  })
  let complaint = ''
  child.stderr.on('data', (chunk: Buffer) => {
    complaint += chunk.toString()
  })
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  if (code !== 0)
    throw new AppError(
      'unavailable',
      'BUNDLE_FAILED',
      `The sources could not be bundled:\n${complaint}`,
    )
  report.done('bundles', performance.now() - startedAtMs)
}

type DatabaseContext = Pick<ServersOptions, 'logs' | 'connections' | 'undo' | 'report'> & {
  choice: MessagingChoice
  onChange: KeptProcessOptions['onChange']
}

async function openDatabase(
  platform: Platform,
  context: DatabaseContext,
): Promise<EmbeddedPostgres> {
  const { logs, undo, report } = context
  const { dataFolder, secrets } = platform
  const { home, notes } = findPostgresHome(dataFolder)
  for (const note of notes) report.note(note)
  checkFreeSpace(join(home.dataDirectory, '..'))
  // Remembered before the data exist, so that a start that is interrupted finds them again.
  saveHome(dataFolder, home)
  const startedAtMs = performance.now()
  const postgres = await createEmbeddedPostgres({
    dataDirectory: home.dataDirectory,
    superuserPassword: secrets.postgresPassword,
    maxConnections: context.connections,
    isDurable: true,
    previousPort: home.port,
    logFd: logs.open('postgres'),
    logTail: () => logs.tail('postgres', 6),
    onChange: context.onChange,
  })
  if (postgres.isNew) report.done('database created', performance.now() - startedAtMs)
  undo.push(() => postgres.stop())
  await postgres.start()
  const plans = databasePlans(secrets, context.choice)
  const databases = fingerprint(plans)
  if (postgres.isNew || home.databases !== databases) {
    const atMs = performance.now()
    await createExtensions(postgres.url)
    await createDatabases(postgres.url, plans)
    report.done(`${plans.length} databases`, performance.now() - atMs)
  }
  saveHome(dataFolder, { ...home, port: postgres.port, databases })
  return postgres
}
