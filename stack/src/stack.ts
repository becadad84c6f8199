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
import { createDatabases, createExtensions, fingerprint } from './postgres-databases.ts'
import { findPostgresHome, saveHome } from './postgres-home.ts'
import { loadSecrets } from './secrets.ts'
import { createNodeProcess, createSupervisor, stopLeftovers } from './supervisor.ts'
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

export type StackOptions = Omit<Platform, 'secrets'> & {
  replicas: Readonly<Record<string, number>>
  report: Report
}

/** Where the stack tells people what it does. */
export type Report = {
  done(what: string, tookMs: number): void
  note(text: string): void
  problem(text: string): void
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
  const watch = watcher(report, () => supervisor.record())

  const connections = connectionsFor(planned.map(({ part, id }) => ({ part, id, ports: {} })))
  // The first failure is reported when the other has ended as well, so that nothing runs on.
  const [bundled, opened] = await Promise.allSettled([
    bundleIfChanged(entries, report),
    openDatabase(platform, { logs, connections, undo, report, onChange: watch('postgres') }),
  ])
  if (bundled.status === 'rejected') throw bundled.reason
  if (opened.status === 'rejected') throw opened.reason
  signal.throwIfAborted()
  const postgres = opened.value

  const instances = await placeInstances(dataFolder, planned)
  supervisor.add({
    part: 'postgres',
    instance: 'postgres',
    ports: { postgres: postgres.port },
    stage: 0,
    process: postgres,
    pid: postgres.serverPid,
  })
  const passwords = platform.secrets.databases
  const urlOf = (database: string, role: string) =>
    postgres.url(database, { name: role, password: passwords[role] ?? '' })
  for (const instance of instances) {
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
    supervisor.add({ part: part.name, instance: id, ports, stage: part.stage, process: kept })
  }
  undo.push(() => supervisor.stop())
  // A stop during the start must not wait until everything is ready.
  signal.addEventListener('abort', () => supervisor.stop(), { once: true })
  await startParts(supervisor.start(), logs)
  if (postgres.isNew) await untilAdministratorCanSignIn(platform, signal)
  const control = await listenForControl(dataFolder, (request) => supervisor.control(request))
  undo.push(() => control.close())
  return { platform, instances, stop: assembly.stop, kill: () => supervisor.kill() }
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

/** Reports each part that becomes ready, crashes or comes back. */
function watcher(report: Report, record: () => void) {
  return (name: string): KeptProcessOptions['onChange'] => {
    let startedAtMs = performance.now()
    return ({ state, reason }) => {
      record()
      if (state === 'starting') startedAtMs = performance.now()
      if (state === 'ready') report.done(name, performance.now() - startedAtMs)
      if (state === 'waiting') report.problem(`${reason}; it is started again.`)
    }
  }
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
  const plans = databasePlans(secrets)
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
