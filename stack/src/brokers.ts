import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { AppError } from '@halles/kit/errors'
import { uuidv7 } from '@halles/kit/ids'
import { type BrokerAddresses, checkAnswers } from './brokers/given.ts'
import { type BrokerName, type Extra, providePrograms } from './brokers/install.ts'
import { createKafka } from './brokers/kafka.ts'
import { type BrokerSetting, type KeptBroker, stopLivingBroker } from './brokers/kept-broker.ts'
import type { Programs } from './brokers/programs.ts'
import { createRabbitmq, rabbitmqPorts } from './brokers/rabbitmq.ts'
import { createRedis } from './brokers/redis.ts'
import { lockDataFolder } from './data-folder.ts'
import { readJson, writeJson } from './files.ts'
import { choosePorts } from './free-ports.ts'
import type { KeptProcessOptions } from './kept-process.ts'
import type { Logs } from './logs.ts'
import type { Report } from './report.ts'

export type BrokersOptions = {
  /** An open data folder. */
  dataFolder: string
  /** The brokers to run here, those of `given` left out. */
  names: readonly BrokerName[]
  given: BrokerAddresses
  env: Readonly<Record<string, string | undefined>>
  /** For tests: killed instead of stopped, and nothing is left. */
  isTemporary: boolean
  /** A second listener of Kafka that tells clients another port than its own. */
  kafkaProxied?: { listenPort: number; advertisedPort: number } | undefined
  /** Programs that are installed along where packages can be installed. */
  extras?: readonly Extra[]
  logs: Logs
  report: Report
  onChange(name: string): KeptProcessOptions['onChange']
}

export type Brokers = {
  addresses: BrokerAddresses
  /** The brokers that run here. */
  kept: ReadonlyMap<BrokerName, KeptBroker>
  stop(): Promise<void>
}

type Secrets = { rabbitmqPassword: string; redisPassword: string; kafkaClusterId: string }

const brokersFile = (dataFolder: string) => join(dataFolder, 'brokers.json')

/** The addresses that were written for tools when brokers were last started on the folder. */
export function readAddresses(dataFolder: string): BrokerAddresses {
  return (readJson(brokersFile(dataFolder)) ?? {}) as BrokerAddresses
}

/**
 * Runs the brokers that nobody gives until `stop`, and writes `brokers.json`. Missing programs are
 * installed where that is possible. Throws an AppError BROKERS_RUNNING when another command runs
 * the brokers of this folder, and others that say what to do.
 */
export async function openBrokers(options: BrokersOptions, signal?: AbortSignal): Promise<Brokers> {
  const { dataFolder, given, report } = options
  const names = options.names.filter((name) => !isGiven(name, given))
  const folder = join(dataFolder, 'brokers')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const lock = lockBrokers(folder, dataFolder)
  let kept = new Map<BrokerName, KeptBroker>()
  const stop = async () => {
    await Promise.all([...kept.values()].map((broker) => broker.stop()))
    lock.release()
  }
  try {
    await checkAnswers(given, options.env)
    const programs = await providePrograms({ names, extras: options.extras, report, signal })
    for (const name of names) await stopLivingBroker(join(folder, name))
    const own = await createBrokers(options, { names, folder, programs })
    kept = own.kept
    signal?.throwIfAborted()
    // A stop during the start must not wait until everything is ready.
    const stopEarly = () => void stop()
    signal?.addEventListener('abort', stopEarly, { once: true })
    await startAll(kept)
    signal?.removeEventListener('abort', stopEarly)
    const addresses = { ...own.addresses, ...given }
    writeJson(brokersFile(dataFolder), addresses)
    return { addresses, kept, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

function isGiven(name: BrokerName, given: BrokerAddresses): boolean {
  const addresses = { rabbitmq: given.amqpUrl, kafka: given.kafkaBrokers, redis: given.redisUrl }
  return addresses[name] !== undefined
}

/** The first failure is reported when all have come to an end, so that nothing starts after it. */
async function startAll(kept: ReadonlyMap<BrokerName, KeptBroker>): Promise<void> {
  const results = await Promise.allSettled([...kept.values()].map((broker) => broker.start()))
  const failed = results.find((result) => result.status === 'rejected')
  if (failed) throw failed.reason
}

function lockBrokers(folder: string, dataFolder: string): { release(): void } {
  try {
    return lockDataFolder(folder, 'npm run brokers')
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'ALREADY_RUNNING') throw error
    const message = `The brokers of ${dataFolder} already run; their addresses are in ${brokersFile(dataFolder)}. Stop them first, or use another folder: --data DIR.`
    throw new AppError('conflict', 'BROKERS_RUNNING', message, { cause: error })
  }
}

type Placement = { names: readonly BrokerName[]; folder: string; programs: Programs }

async function createBrokers(
  options: BrokersOptions,
  { names, folder, programs }: Placement,
): Promise<{ kept: Map<BrokerName, KeptBroker>; addresses: BrokerAddresses }> {
  const secrets = loadSecrets(folder)
  const ports = await placeBrokers(folder)
  const settingOf = (name: BrokerName): BrokerSetting => ({
    folder: join(folder, name),
    isTemporary: options.isTemporary,
    logFd: options.logs.open(name),
    logTail: () => options.logs.tail(name, 8),
    onChange: options.onChange(name),
  })
  const kept = new Map<BrokerName, KeptBroker>()
  const addresses: BrokerAddresses = {}
  if (names.includes('rabbitmq')) {
    const script = programs.rabbitmqServer ?? 'rabbitmq-server'
    const password = secrets.rabbitmqPassword
    const broker = createRabbitmq({ ...settingOf('rabbitmq'), script, password, ports })
    kept.set('rabbitmq', broker)
    addresses.amqpUrl = broker.url
  }
  if (names.includes('kafka')) {
    const { java = 'java', kafkaJars: jars = '' } = programs
    const { kafkaClusterId: clusterId } = secrets
    const proxied = options.kafkaProxied
    const setting = settingOf('kafka')
    const broker = await createKafka({ ...setting, java, jars, clusterId, ports, proxied })
    kept.set('kafka', broker)
    addresses.kafkaBrokers = broker.url
  }
  if (names.includes('redis')) {
    const binary = programs.redisServer ?? 'redis-server'
    const password = secrets.redisPassword
    const broker = createRedis({ ...settingOf('redis'), binary, password, ports })
    kept.set('redis', broker)
    addresses.redisUrl = broker.url
  }
  return { kept, addresses }
}

const portNames = [...rabbitmqPorts, 'kafka', 'controller', 'redis'] as const

/** The ports of this folder's brokers, chosen once. */
async function placeBrokers(folder: string) {
  const file = join(folder, 'ports.json')
  const previous = (readJson(file) ?? {}) as Record<string, number>
  const ports = await choosePorts(portNames, previous)
  writeJson(file, ports)
  return ports as Record<(typeof portNames)[number], number>
}

/** Passwords and the identity of the Kafka cluster: made up once, and bound to the data. */
function loadSecrets(folder: string): Secrets {
  const file = join(folder, 'secrets.json')
  const known = readJson(file) as Secrets | undefined
  if (known !== undefined) return known
  const made = {
    rabbitmqPassword: randomBytes(24).toString('base64url'),
    redisPassword: randomBytes(24).toString('base64url'),
    // Begins with a letter, as a UUIDv7 begins with the time: Kafka refuses a leading hyphen.
    kafkaClusterId: Buffer.from(uuidv7().replaceAll('-', ''), 'hex').toString('base64url'),
  }
  writeJson(file, made)
  return made
}
