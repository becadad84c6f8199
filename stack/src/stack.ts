import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { AppError } from '@halles/kit/errors'
import { checkEntries, isBundled } from './bundle.ts'
import { listenForControl } from './control.ts'
import { checkFreeSpace, lockDataFolder, openDataFolder } from './data-folder.ts'
import { chooseEdge, type Edge, type EdgeWanted, openEdge } from './edge.ts'
import { createEmbeddedPostgres, type EmbeddedPostgres } from './embedded-postgres.ts'
import { untilAdministratorCanSignIn } from './first-sign-in.ts'
import { createFleet } from './fleet.ts'
import { isPortFree } from './free-ports.ts'
import type { KeptProcessOptions } from './kept-process.ts'
import { createLogs, type Logs } from './logs.ts'
import { checkChoice, type MessagingChoice, recordChoice } from './messaging-choice.ts'
import { createDatabases, createExtensions, fingerprint } from './postgres-databases.ts'
import { findPostgresHome, saveHome } from './postgres-home.ts'
import { type Report, reportChanges } from './report.ts'
import { loadSecrets } from './secrets.ts'
import { type BrokersWanted, choiceOf, openStackBrokers } from './stack-brokers.ts'
import { createSupervisor, type Member, stopLeftovers } from './supervisor.ts'
import {
  connectionsFor,
  databasePlans,
  databaseRoles,
  type Instance,
  instancesFor,
  type Platform,
  partsOf,
  planInstances,
} from './topology.ts'
import { createVerbs } from './verbs.ts'

export type StackOptions = Omit<Platform, 'secrets' | 'messaging' | 'edge'> & {
  brokers: BrokersWanted
  edge: EdgeWanted
  replicas: Readonly<Record<string, number>>
  report: Report
}

export type Stack = {
  platform: Platform
  instances: readonly Instance[]
  /** HAProxy, where it is the edge. */
  edge: Edge | undefined
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
  const entries = partsOf({ stripe: options.stripe }).map(({ entry }) => entry)
  const dataFolder = openDataFolder(options.dataFolder)
  const url = `http://localhost:${port}`
  const lock = lockDataFolder(dataFolder, url)
  undo.push(() => lock.release())
  const left = await stopLeftovers(dataFolder)
  if (left > 0) report.note(`Ended ${left} processes that an earlier start left behind.`)
  await checkPort(port, options.host)
  const { https } = options.edge
  if (https) await checkPort(https.port, options.host, '--https-port')
  checkEntries(entries)

  const platform: Platform = {
    ...options,
    dataFolder,
    edge: await chooseEdge(options.edge, { report, signal }),
    secrets: loadSecrets(dataFolder, databaseRoles),
  }
  const planned = planInstances(platform, options.replicas)
  const maxInstances = instancesFor(planned.length)
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
  let edge: Edge | undefined
  const supervisor = createSupervisor({
    ...{ dataFolder, url, onProblem: report.problem },
    onListed(part, gateways) {
      if (part === 'gateway') edge?.follow(gateways.map(toAddress))
    },
  })
  const watch = reportChanges(report, () => supervisor.record())

  const { postgres, brokers } = await openServers(platform, {
    brokers: options.brokers,
    connections: connectionsFor(maxInstances),
    entries,
    assembly,
    logs,
    report,
    watch,
  })

  const connected = { ...platform, messaging: brokers }
  const fleet = await createFleet({
    ...{ platform: connected, planned, postgres, maxInstances, logs, watch },
  })
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
  for (const member of fleet.members) supervisor.add(member)
  if (platform.edge === 'haproxy') {
    const gateways = fleet.members.filter(({ part }) => part === 'gateway').map(toAddress)
    const { host } = options
    edge = await openEdge({
      ...{ dataFolder, host, port, https, gateways, logs, report, onChange: watch('haproxy') },
    })
    undo.push(edge.close)
    const { ports, serverPid: pid } = edge.haproxy
    // It stops after the gateways: what they still answer goes through it.
    supervisor.add({
      ...{ part: 'haproxy', instance: 'haproxy', ports, stage: 2, process: edge.haproxy, pid },
    })
  }
  undo.push(() => supervisor.stop())
  // A stop during the start must not wait until everything is ready.
  signal.addEventListener('abort', () => supervisor.stop(), { once: true })
  await startParts(supervisor.start(), logs)
  if (postgres.isNew) await untilAdministratorCanSignIn(platform, signal)
  const control = await listenForControl(dataFolder, createVerbs({ supervisor, fleet }))
  undo.push(() => control.close())
  return {
    platform: connected,
    instances: fleet.instances,
    edge,
    stop: assembly.stop,
    kill: () => supervisor.kill(),
  }
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
    bundleIfChanged(servers.entries, report),
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

/** Where HAProxy finds a gateway. */
const toAddress = ({ instance, ports }: Pick<Member, 'instance' | 'ports'>) => ({
  name: instance,
  host: '127.0.0.1',
  port: ports.http ?? 0,
})

async function checkPort(port: number, host: string, option = '--port'): Promise<void> {
  const isFree = await isPortFree(port, host).catch((error: Error) => {
    throw new AppError(
      'unavailable',
      'PORT_NOT_ALLOWED',
      `Port ${port} cannot be used: ${error.message}. Choose another: ${option} N.`,
    )
  })
  if (isFree) return
  throw new AppError(
    'conflict',
    'PORT_IN_USE',
    `Port ${port} is in use by another program. Stop that, or choose another port: npm start -- ${option} ${port + 1}.`,
  )
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
