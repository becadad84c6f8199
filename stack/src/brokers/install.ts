import { spawnSync } from 'node:child_process'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { AppError } from '@halles/kit/errors'
import { errorCode, readText } from '../files.ts'
import type { Report } from '../report.ts'
import { fetchJars } from './kafka-jars.ts'
import { findProgram, findPrograms, type Programs } from './programs.ts'
import { runTool } from './run-tool.ts'

export type BrokerName = 'rabbitmq' | 'kafka' | 'redis'

/** What can be installed: the brokers, the load balancer, what makes its certificates, testers. */
export type ProgramName = BrokerName | 'haproxy' | 'openssl' | 'chromium' | 'prometheus'

/** A program that is good to have, and the package that holds it. */
/** Known to be there by a program in PATH, or by a file. */
export type Extra = { package: string } & ({ program: string } | { file: string })

export type Need = {
  names: readonly ProgramName[]
  /** What else can be done where they cannot be installed, for the message that says so. */
  otherwise?: string
  extras?: readonly Extra[] | undefined
  report: Report
  signal?: AbortSignal | undefined
}

/** A Debian package, and who it is needed for. */
type Missing = { package: string; what: string }

function missingPackages(names: readonly ProgramName[], found: Programs): Missing[] {
  const needed = [
    names.includes('rabbitmq') &&
      found.rabbitmqServer === undefined && { package: 'rabbitmq-server', what: 'RabbitMQ' },
    names.includes('redis') &&
      found.redisServer === undefined && { package: 'redis-server', what: 'Redis' },
    names.includes('kafka') &&
      found.java === undefined && { package: javaPackage, what: 'Java 17 (for Kafka)' },
    names.includes('kafka') &&
      found.kafkaJars === undefined &&
      found.maven === undefined && { package: 'maven', what: "Maven (for Kafka's jars)" },
    names.includes('haproxy') &&
      found.haproxy === undefined && { package: 'haproxy', what: 'HAProxy' },
    names.includes('openssl') &&
      found.openssl === undefined && { package: 'openssl', what: 'OpenSSL (for a certificate)' },
    names.includes('chromium') &&
      found.chromium === undefined && { package: 'chromium', what: 'Chromium' },
    names.includes('prometheus') &&
      found.prometheus === undefined && { package: 'prometheus', what: 'Prometheus' },
  ]
  return needed.filter((each) => each !== false)
}

/**
 * The named programs, installed where they are missing: Debian packages as root,
 * Kafka's jars by Maven. Throws an AppError that says what to do where that is not possible.
 */
export async function providePrograms(need: Need): Promise<Programs> {
  const { names, report, signal } = need
  const before = findPrograms()
  const missing = missingPackages(names, before)
  if (missing.length > 0) refuseWithoutPackages(missing, need.otherwise)
  const extras = (need.extras ?? []).filter((each) => !isInstalled(each))
  const wanted = missing.map((each) => each.package)
  const alsoWanted = extras.map((each) => each.package)
  if (canInstall() && wanted.length + extras.length > 0) {
    await installPackages({ wanted, alsoWanted }, report, signal)
  } else if (extras.length > 0) {
    report.note(`Not installed, and not needed to start: ${alsoWanted.join(', ')}.`)
  }

  const found = findPrograms()
  const still = missingPackages(names, found)
  if (still.length > 0) {
    const list = still.map(({ what }) => what).join(', ')
    const message = `Still missing after the installation of ${wanted.join(', ')}: ${list}.`
    throw new AppError('unavailable', 'BROKERS_NOT_INSTALLED', message)
  }
  if (!names.includes('kafka') || found.kafkaJars !== undefined) return found
  const startedAtMs = performance.now()
  report.note('Fetching Kafka with Maven (43 MB, once) …')
  const kafkaJars = await fetchJars(found.maven ?? 'mvn', signal)
  report.done('Kafka fetched', performance.now() - startedAtMs)
  return { ...found, kafkaJars }
}

function isInstalled(extra: Extra): boolean {
  return 'file' in extra ? existsSync(extra.file) : findProgram(extra.program) !== undefined
}

const aptGet = '/usr/bin/apt-get'
const isRoot = () => process.getuid?.() === 0
const canInstall = () => isRoot() && existsSync(aptGet)

const brokersElsewhere =
  'Or say where brokers run: AMQP_URL, KAFKA_BROKERS, REDIS_URL. Docker has them too: deploy/compose/brokers.yaml.'

function refuseWithoutPackages(
  missing: readonly Missing[],
  otherwise: string = brokersElsewhere,
): void {
  if (canInstall()) return
  const list = missing.map(({ what }) => what).join(', ')
  const packages = missing.map((each) => each.package).join(' ')
  const byHand = existsSync(aptGet)
    ? `Run: sudo apt-get install ${packages} (and keep the system from starting them), or start this command as root.`
    : `This system has no apt-get: install them with its own tools (macOS: brew install rabbitmq redis openjdk@17 maven haproxy).`
  throw new AppError(
    'unavailable',
    'BROKERS_NOT_INSTALLED',
    `Not installed: ${list}. ${byHand} ${otherwise}`,
  )
}

// The first that the system has; Kafka 4 needs 17 at least.
const javaPackage = 'openjdk-17-jre-headless'
const javaPackages = [javaPackage, 'openjdk-21-jre-headless', 'default-jre-headless']

const isPackage = (name: string) =>
  spawnSync('apt-cache', ['show', name], { stdio: 'ignore', timeout: 30_000 }).status === 0

// 200 MB at most, through a slow connection, on a slow disk.
const installLimitMs = 10 * 60_000
const apt = {
  command: aptGet,
  env: { DEBIAN_FRONTEND: 'noninteractive' },
  limitMs: installLimitMs,
}
// Another installation may be under way.
const waitForLock = ['-o', 'DPkg::Lock::Timeout=120']

type Packages = {
  wanted: readonly string[]
  /** Left out where the system does not have them. */
  alsoWanted: readonly string[]
}

async function installPackages(
  { wanted, alsoWanted }: Packages,
  report: Report,
  signal: AbortSignal | undefined,
): Promise<void> {
  const startedAtMs = performance.now()
  const list = [...wanted, ...alsoWanted].join(', ')
  report.note(`Installing ${list} with apt-get …`)
  const purpose = `${list} could not be installed`
  const allowStarts = forbidServiceStarts(report)
  try {
    await runTool({ ...apt, args: [...waitForLock, 'update'], purpose, signal })
    const java = javaPackages.find(isPackage)
    const packages = wanted.map((each) => (each === javaPackage ? (java ?? each) : each))
    packages.push(...alsoWanted.filter(isPackage))
    const options = [...waitForLock, 'install', '--yes', '--no-install-recommends']
    if (packages.length > 0)
      await runTool({ ...apt, args: [...options, ...packages], purpose, signal })
  } finally {
    allowStarts()
  }
  report.done('packages', performance.now() - startedAtMs)
}

const policyFile = '/usr/sbin/policy-rc.d'
const policy =
  '#!/bin/sh\n# Made by Halles while it installs brokers: it starts its own.\nexit 101\n'

/** Keeps packages from starting services of the system; returns what ends that. */
function forbidServiceStarts(report: Report): () => void {
  try {
    writeFileSync(policyFile, policy, { flag: 'wx', mode: 0o755 })
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error
    if (readText(policyFile) !== policy) {
      report.note(`${policyFile} exists: it decides whether the system starts the new services.`)
      return () => undefined
    }
  }
  const remove = () => rmSync(policyFile, { force: true })
  process.once('exit', remove)
  return () => {
    process.off('exit', remove)
    remove()
  }
}
