import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { AppError } from '@halles/kit/errors'
import { bundleOf, checkEntries, isBundled, root } from './bundle.ts'
import { listenForControl } from './control.ts'
import { checkFreeSpace, lockDataFolder, openDataFolder } from './data-folder.ts'
import { createEmbeddedPostgres, type EmbeddedPostgres } from './embedded-postgres.ts'
import { readJson, writeJson } from './files.ts'
import { untilAdministratorCanSignIn } from './first-sign-in.ts'
import { choosePorts, isPortFree } from './free-ports.ts'
import type { KeptProcessOptions } from './kept-process.ts'
import { createLogs, type Logs } from './logs.ts'
import { checkChoice, type MessagingChoice, recordChoice } from './messaging-choice.ts'
import { createDatabases, createExtensions, fingerprint } from './postgres-databases.ts'
import { findPostgresHome, saveHome } from './postgres-home.ts'
import { type Report, reportChanges } from './report.ts'
import { loadSecrets } from './secrets.ts'
import { type BrokersWanted, choiceOf, openStackBrokers } from './stack-brokers.ts'
import { createNodeProcess, createSupervisor, type Member, stopLeftovers } from './supervisor.ts'
import {
  connectionsFor,
  databasePlans,
  databaseRoles,
  environmentOf,
  type Instance,
  type Platform,
  partsOf,
  planInstances,
} from './topology.ts'
import { buildPages } from './web-pages.ts'

export type StackOptions = Omit<Platform, 'secrets' | 'messaging'> & {
  brokers: BrokersWanted
  replicas: Readonly<Record<string, number>>
  report: Report
}

export type Stack = {
  platform: Platform
  instances: readonly Instance[]
  stop(): Promise<void>
  /** Ends everything at once, without a drain. */
  kill(): void
}

type Undo = (() => void | Promise<void>)[]

/** Runs PostgreSQL and every part until `stop`; what was started is stopped when something fails. */
export async function startStack(options: StackOptions, signal: AbortSignal): Promise<Stack> {
  const undo: Undo = []
  const stop = async () => {
    for (const step of undo.splice(0).reverse()) await step()
  }
  try {
    return await assemble(options, { undo, stop, signal })
  } catch (error) {
    await stop()
    throw error
  }
}

type Assembly = { undo: Undo; stop(): Promise<void>; signal: AbortSignal }

async function assemble(options: StackOptions, assembly: Assembly): Promise<Stack> {
  const { report, port } = options
  const { undo, signal } = assembly
  const entries = partsOf(options).map(({ entry }) => entry)
  const dataFolder = openDataFolder(options.dataFolder)
  const url = `http://localhost:${port}`
  const lock = lockDataFolder(dataFolder, url)
  undo.push(() => lock.release())
  const left = await stopLeftovers(dataFolder)
  if (left > 0) report.note(`Ended ${left} processes that an earlier start left behind.`)
  await checkPort(port, options.host)
  checkEntries(entries)

  const platform: Platform = {
    ...options,
    dataFolder,
    secrets: loadSecrets(dataFolder, databaseRoles),
  }
  const planned = planInstances(platform, options.replicas)
  const logs = createLogs({
    folder: join(dataFolder, 'logs'),
    maxBytes: 10 * 1024 * 1024,
    checkMs: 2_000,
    onError(part, message, count) {
      const more = count > 1 ? ` (and ${count - 1} more)` : ''
      report.problem(`${part}: ${message}${more}, see ${join(dataFolder, 'logs', `${part}.log`)}`)
    },
  })
  undo.push(() => logs.close())
  const supervisor = createSupervisor({ dataFolder, url, onProblem: report.problem })
  const watch = reportChanges(report, () => supervisor.record())

  const { postgres, brokers } = await openServers(platform, {
    brokers: options.brokers,
    connections: connectionsFor(planned.map(({ part, id }) => ({ part, id, ports: {} }))),
    entries,
    assembly,
    logs,
    report,
    watch,
  })

  const instances = await placeInstances(dataFolder, planned)
  supervisor.add({
    part: 'postgres',
    instance: 'postgres',
    ports: { postgres: postgres.port },
    stage: 0,
    process: postgres,
    pid: postgres.serverPid,
  })
  for (const [name, broker] of brokers.kept) {
    const { ports, serverPid: pid } = broker
    supervisor.add({ part: name, instance: name, ports, stage: 0, process: broker, pid })
  }
  const connected = { ...platform, messaging: brokers }
  for (const member of createMembers(connected, { instances, postgres, logs, watch })) {
    supervisor.add(member)
  }
  undo.push(() => supervisor.stop())
  // A stop during the start must not wait until everything is ready.
  signal.addEventListener('abort', () => supervisor.stop(), { once: true })
  await startParts(supervisor.start(), logs)
  if (postgres.isNew) await untilAdministratorCanSignIn(platform, signal)
  const control = await listenForControl(dataFolder, (request) => supervisor.control(request))
  undo.push(() => control.close())
  return { platform: connected, instances, stop: assembly.stop, kill: () => supervisor.kill() }
}

type Servers = {
  brokers: BrokersWanted
  connections: number
  entries: readonly string[]
  assembly: Assembly
  logs: Logs
  report: Report
  watch(name: string): KeptProcessOptions['onChange']
}

/** Starts what the parts need: PostgreSQL and the brokers, while their sources are bundled. */
async function openServers(platform: Platform, servers: Servers) {
  const { brokers: wanted, assembly, logs, report, watch } = servers
  const { undo, signal } = assembly
  const { dataFolder } = platform
  const choice = choiceOf(wanted)
  checkChoice(dataFolder, choice)
  // The first failure is reported when the others have ended as well, so that nothing runs on.
  const [bundled, opened, connected] = await Promise.allSettled([
    Promise.all([bundleIfChanged(servers.entries, report), buildPages(report)]),
    openDatabase(platform, { ...servers, choice, undo, onChange: watch('postgres') }),
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

type Launch = {
  instances: readonly Instance[]
  postgres: EmbeddedPostgres
  logs: Logs
  watch(name: string): KeptProcessOptions['onChange']
}

function createMembers(platform: Platform, launch: Launch): Member[] {
  const { instances, postgres, logs, watch } = launch
  const passwords = platform.secrets.databases
  const urlOf = (database: string, role: string) =>
    postgres.url(database, { name: role, password: passwords[role] ?? '' })
  return instances.map((instance) => {
    const { part, id, ports } = instance
    const kept = createNodeProcess({
      name: id,
      part: part.name,
      script: bundleOf(part.entry),
      cwd: root,
      env: environmentOf(instance, platform, { instances, urlOf }),
      logs,
      onChange: watch(id),
    })
    return { part: part.name, instance: id, ports, stage: part.stage, process: kept }
  })
}

async function startParts(started: Promise<void>, logs: Logs): Promise<void> {
  try {
    await started
  } catch (error) {
    if (error instanceof AppError || !(error instanceof Error)) throw error
    const part = error.message.replace(/-\d+ .*$/s, '')
    const words = logs.tail(part, 8).map((line) => `\n  ${line.slice(0, 600)}`)
    const text = `${error.message}. The end of ${logs.path(part)}:${words.join('')}`
    throw new AppError('unavailable', 'PART_FAILED', text, { cause: error })
  }
}

async function checkPort(port: number, host: string): Promise<void> {
  const isFree = await isPortFree(port, host).catch((error: Error) => {
    throw new AppError(
      'unavailable',
      'PORT_NOT_ALLOWED',
      `Port ${port} cannot be used: ${error.message}. Choose another: --port N or PORT=N.`,
    )
  })
  if (isFree) return
  throw new AppError(
    'conflict',
    'PORT_IN_USE',
    `Port ${port} is in use by another program. Stop that, or choose another port: npm start -- --port ${port + 1} (or PORT=${port + 1}).`,
  )
}

async function placeInstances(
  dataFolder: string,
  planned: ReturnType<typeof planInstances>,
): Promise<Instance[]> {
  const file = join(dataFolder, 'ports.json')
  const previous = (readJson(file) ?? {}) as Record<string, number>
  const ports = await choosePorts(
    planned.flatMap(({ portNames }) => portNames),
    previous,
  )
  writeJson(file, { ...previous, ...ports })
  return planned.map(({ part, id }) => ({
    part,
    id,
    ports: Object.fromEntries(part.listens.map((kind) => [kind, ports[`${id}.${kind}`] ?? 0])),
  }))
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

type DatabaseContext = {
  choice: MessagingChoice
  logs: Logs
  connections: number
  undo: Undo
  report: Report
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
