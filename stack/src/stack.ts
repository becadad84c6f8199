import { join } from 'node:path'
import { AppError } from '@halles/kit/errors'
import { checkEntries } from './bundle.ts'
import { createCallers } from './callers.ts'
import { listenForControl } from './control.ts'
import { lockDataFolder, openDataFolder } from './data-folder.ts'
import { chooseEdge, type Edge, type EdgeWanted, openEdge } from './edge.ts'
import { overridesOf } from './environment.ts'
import { untilAdministratorCanSignIn } from './first-sign-in.ts'
import { createFleet } from './fleet.ts'
import { isPortFree } from './free-ports.ts'
import { createLogs, type Logs } from './logs.ts'
import { type Report, reportChanges } from './report.ts'
import { loadSecrets } from './secrets.ts'
import type { BrokersWanted } from './stack-brokers.ts'
import { openServers, serverMembers } from './stack-servers.ts'
import { createSupervisor, type Member, stopLeftovers } from './supervisor.ts'
import {
  connectionsFor,
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
  const { report, host, edge: wanted } = options
  const { undo, signal } = assembly
  const platform = await claim(options, assembly)
  const { dataFolder } = platform
  const planned = planInstances(platform, options.replicas)
  const maxInstances = instancesFor(planned.length)
  const logs = openLogs(dataFolder, report)
  undo.push(() => logs.close())
  let edge: Edge | undefined
  const supervisor = createSupervisor({
    ...{ dataFolder, url: urlOf(options), onProblem: report.problem },
    onKnown(part, gateways) {
      if (part === 'gateway') edge?.follow(gateways.map(toAddress))
    },
  })
  const watch = reportChanges(report, () => supervisor.record())
  const { postgres, brokers } = await openServers(platform, {
    ...{ ...assembly, brokers: options.brokers, connections: connectionsFor(maxInstances) },
    ...{ entries: entriesOf(options), logs, report, watch },
  })

  const connected = { ...platform, messaging: brokers }
  const fleet = await createFleet({
    ...{ platform: connected, planned, postgres, maxInstances, logs, watch },
  })
  for (const server of serverMembers(postgres, brokers.kept)) supervisor.add(server)
  for (const member of fleet.members) supervisor.add(member)
  if (platform.edge === 'haproxy') {
    const gateways = fleet.members.filter(({ part }) => part === 'gateway').map(toAddress)
    edge = await openEdge({
      ...{ dataFolder, host, port: options.port, https: wanted.https, gateways, logs, report },
      onChange: watch('haproxy'),
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
  const callers = createCallers({
    ...{ dataFolder, supervisor, fleet, edge },
    isElsewhere: (caller, part) => {
      const own = overridesOf(caller, platform.overrides)
      return ['URLS', 'GRPC'].some((kind) => `${part.toUpperCase()}_${kind}` in own)
    },
  })
  await callers.untilAllFound()
  if (postgres.isNew) await untilAdministratorCanSignIn(platform, signal)
  const control = await listenForControl(dataFolder, createVerbs({ supervisor, fleet, callers }))
  undo.push(() => control.close())
  return {
    platform: connected,
    instances: fleet.instances,
    edge,
    stop: assembly.stop,
    kill: () => supervisor.kill(),
  }
}

const urlOf = ({ port }: StackOptions) => `http://localhost:${port}`
const entriesOf = ({ stripe }: StackOptions) => partsOf({ stripe }).map(({ entry }) => entry)

/** Takes the data folder and checks what can be checked before anything runs. */
async function claim(options: StackOptions, { undo, signal }: Assembly): Promise<Platform> {
  const { report, host, port } = options
  const { https } = options.edge
  const dataFolder = openDataFolder(options.dataFolder)
  const lock = lockDataFolder(dataFolder, urlOf(options))
  undo.push(() => lock.release())
  const left = await stopLeftovers(dataFolder)
  if (left > 0) report.note(`Ended ${left} processes that an earlier start left behind.`)
  await checkPort(port, host)
  if (https) await checkPort(https.port, host, '--https-port')
  checkEntries(entriesOf(options))
  return {
    ...options,
    dataFolder,
    edge: await chooseEdge(options.edge, { report, signal }),
    secrets: loadSecrets(dataFolder, databaseRoles),
  }
}

function openLogs(dataFolder: string, report: Report): Logs {
  const folder = join(dataFolder, 'logs')
  return createLogs({
    folder,
    maxBytes: 10 * 1024 * 1024,
    checkMs: 2_000,
    onError(part, message, count) {
      const more = count > 1 ? ` (and ${count - 1} more)` : ''
      report.problem(`${part}: ${message}${more}, see ${join(folder, `${part}.log`)}`)
    },
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
