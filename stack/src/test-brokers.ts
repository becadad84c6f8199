import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AppError } from '@halles/kit/errors'
import { type BrokerAddresses, givenAddresses } from './brokers/given.ts'
import {
  type BrokerName,
  type Extra,
  type ProgramName,
  providePrograms,
} from './brokers/install.ts'
import { findPrograms } from './brokers/programs.ts'
import { openBrokers } from './brokers.ts'
import { choosePorts } from './free-ports.ts'
import { createLogs } from './logs.ts'
import { terminalReport as report } from './report.ts'

/** Whether a test file uses real brokers; its path says so. Tests of the stack start their own. */
export const needsBrokers = (file: string) =>
  /rabbitmq|kafka|brokers|resilience|stranger/.test(file) && !file.startsWith('stack/test/')

const needsHaproxy = (file: string) => file.includes('haproxy')
const needsChromium = (file: string) => /^tests\/(browser|clients)\//.test(file)
const needsPrometheus = (file: string) => file.startsWith('tests/telemetry/alerts')

/** Whether a test file must wait until what it needs is there. */
export const waitsForPrograms = (file: string) =>
  needsBrokers(file) || needsHaproxy(file) || needsChromium(file) || needsPrometheus(file)

/** Whether it starts the whole platform, and the brokers with it, to break them. */
const bringsBrokers = (file: string) => /^tests\/(clients|resilience)\//.test(file)

const pythonPackages = '/usr/lib/python3/dist-packages'
// Tools of strangers that tests ask.
const extras: readonly Extra[] = [
  { program: 'kcat', package: 'kcat' },
  { file: `${pythonPackages}/confluent_kafka`, package: 'python3-confluent-kafka' },
  { file: `${pythonPackages}/jsonschema`, package: 'python3-jsonschema' },
]

type Environment = Record<string, string | undefined>

const names: readonly BrokerName[] = ['rabbitmq', 'kafka', 'redis']

/**
 * Starts the brokers that the environment does not give, as far as they are installed and one of
 * the files needs them, and tells tests of them: HALLES_TEST_AMQP_URL, HALLES_TEST_KAFKA_BROKERS, HALLES_TEST_REDIS_URL, and
 * HALLES_TEST_KAFKA_PROXIED (`listenPort:advertisedPort` of a listener that is to be reached through
 * a proxy on the advertised port). HALLES_TEST_BROKERS is `install` to install them, or `none`;
 * it becomes `none` where RabbitMQ or Kafka are missing. HALLES_TEST_HAPROXY, HALLES_TEST_CHROMIUM
 * and HALLES_TEST_PROMETHEUS are the programs, where they are there and a file needs them.
 */
export async function startTestBrokers(
  env: Environment,
  files: readonly string[],
): Promise<{ stop(): Promise<void> }> {
  const nothing = { stop: async () => undefined }
  if (files.some(needsHaproxy)) await provideHaproxy(env)
  if (files.some(needsChromium)) await provideChromium(env)
  if (files.some(needsPrometheus)) await providePrometheus(env)
  if (!files.some(needsBrokers)) return nothing
  const given = givenAddresses({
    AMQP_URL: env.HALLES_TEST_AMQP_URL,
    KAFKA_BROKERS: env.HALLES_TEST_KAFKA_BROKERS,
    REDIS_URL: env.HALLES_TEST_REDIS_URL,
  })
  const wanted = names.filter((name) => !isGiven(name, given))
  if (env.HALLES_TEST_BROKERS === 'none') {
    report.note('HALLES_TEST_BROKERS=none: tests run on the brokers that are given, if any.')
    return nothing
  }
  const available = mayInstall(env) ? await install(wanted) : findInstalled(wanted)
  const missing = wanted.filter((name) => !available.includes(name))
  if (missing.length > 0) {
    const how = mayInstall(env) ? '' : ' HALLES_TEST_BROKERS=install installs them.'
    report.note(`Not installed: ${missing.join(', ')}. Tests on them are skipped.${how}`)
  }
  // The whole platform on local brokers needs both.
  if (findInstalled(['rabbitmq', 'kafka']).length < 2) env.HALLES_TEST_BROKERS = 'none'
  const isWanted = files.some((file) => needsBrokers(file) && !bringsBrokers(file))
  return isWanted && available.length > 0 ? start(env, available) : nothing
}

async function provideHaproxy(env: Environment): Promise<void> {
  if (mayInstall(env)) await isProvided(['haproxy', 'openssl'], report.note)
  const haproxy = env.HALLES_TEST_HAPROXY ?? findPrograms().haproxy
  if (haproxy) env.HALLES_TEST_HAPROXY = haproxy
  else noteMissing('HAProxy', env)
}

async function provideChromium(env: Environment): Promise<void> {
  if (env.HALLES_TEST_CHROMIUM !== undefined) return
  if (mayInstall(env)) await isProvided(['chromium'], report.note)
  const { chromium } = findPrograms()
  if (chromium) env.HALLES_TEST_CHROMIUM = chromium
  else noteMissing('Chromium', env)
}

async function providePrometheus(env: Environment): Promise<void> {
  if (env.HALLES_TEST_PROMETHEUS !== undefined) return
  if (mayInstall(env)) await isProvided(['prometheus'], report.note)
  const { prometheus } = findPrograms()
  if (prometheus) env.HALLES_TEST_PROMETHEUS = prometheus
  else noteMissing('Prometheus', env)
}

const mayInstall = (env: Environment) => env.HALLES_TEST_BROKERS === 'install'

function noteMissing(what: string, env: Environment): void {
  const how = mayInstall(env) ? '' : ' HALLES_TEST_BROKERS=install installs it.'
  report.note(`Not installed: ${what}. Tests on it are skipped.${how}`)
}

function isGiven(name: BrokerName, { amqpUrl, kafkaBrokers, redisUrl }: BrokerAddresses): boolean {
  return { rabbitmq: amqpUrl, kafka: kafkaBrokers, redis: redisUrl }[name] !== undefined
}

function findInstalled(wanted: readonly BrokerName[]): BrokerName[] {
  const { rabbitmqServer, redisServer, java, kafkaJars } = findPrograms()
  const isInstalled = {
    rabbitmq: rabbitmqServer !== undefined,
    kafka: java !== undefined && kafkaJars !== undefined,
    redis: redisServer !== undefined,
  }
  return wanted.filter((name) => isInstalled[name])
}

/** Installs what can be installed here, and says why the rest cannot. */
async function install(wanted: readonly BrokerName[]): Promise<BrokerName[]> {
  if (await isProvided(wanted, () => undefined)) return [...wanted]
  // One that needs a package must not keep away another that needs none.
  const provided: BrokerName[] = []
  for (const name of wanted) if (await isProvided([name], report.note)) provided.push(name)
  return provided
}

async function isProvided(
  wanted: readonly ProgramName[],
  onRefusal: (why: string) => void,
): Promise<boolean> {
  try {
    await providePrograms({ names: wanted, extras, report })
    return true
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    onRefusal(error.message)
    return false
  }
}

async function start(
  env: Environment,
  available: readonly BrokerName[],
): Promise<{ stop(): Promise<void> }> {
  const startedAtMs = performance.now()
  const folder = mkdtempSync(join(tmpdir(), 'halles-test-brokers-'))
  const logs = createLogs({
    folder: join(folder, 'logs'),
    maxBytes: 50 * 1024 * 1024,
    checkMs: 2_000,
    onError: () => undefined,
  })
  const { listen = 0, advertised = 0 } = await choosePorts(['listen', 'advertised'], {})
  const { addresses, stop } = await openBrokers({
    dataFolder: folder,
    names: available,
    given: {},
    env: {},
    isTemporary: true,
    kafkaProxied: { listenPort: listen, advertisedPort: advertised },
    logs,
    report,
    onChange: () => () => undefined,
  })
  if (addresses.amqpUrl) env.HALLES_TEST_AMQP_URL = addresses.amqpUrl
  if (addresses.redisUrl) env.HALLES_TEST_REDIS_URL = addresses.redisUrl
  if (addresses.kafkaBrokers) {
    env.HALLES_TEST_KAFKA_BROKERS = addresses.kafkaBrokers
    env.HALLES_TEST_KAFKA_PROXIED = `${listen}:${advertised}`
  }
  report.done(`brokers (${available.join(', ')})`, performance.now() - startedAtMs)
  return {
    async stop() {
      await stop()
      logs.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
