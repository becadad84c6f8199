import { execFileSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { completeJars } from './kafka-jars.ts'

/** What is installed on this machine; undefined = missing. */
export type Programs = {
  rabbitmqServer: string | undefined
  redisServer: string | undefined
  /** A Java that Kafka 4 runs on. */
  java: string | undefined
  maven: string | undefined
  kafkaJars: string | undefined
  haproxy: string | undefined
  /** Makes certificates. */
  openssl: string | undefined
  /** What the tests of the pages look with. */
  chromium: string | undefined
  /** What the tests of the alerts fire them with; promtool lies beside it. */
  prometheus: string | undefined
}

const minJava = 17

/** Looks for the brokers' programs where packages put them, and in PATH. */
export function findPrograms(): Programs {
  return {
    // Debian's script in PATH runs as root or as the user rabbitmq only, and changes the user.
    rabbitmqServer: findProgram('rabbitmq-server', ['/usr/lib/rabbitmq/bin']),
    redisServer: findProgram('redis-server') ?? findProgram('valkey-server'),
    java: findJava(),
    maven: findProgram('mvn'),
    kafkaJars: completeJars(),
    haproxy: findProgram('haproxy'),
    openssl: findProgram('openssl'),
    chromium: findProgram('chromium'),
    prometheus: findProgram('prometheus'),
  }
}

// Where servers lie; not in the PATH of every user.
const systemFolders = ['/usr/sbin', '/usr/local/sbin']

/** The path of an executable: in one of the folders that come first, in PATH, or of the system. */
export function findProgram(name: string, first: readonly string[] = []): string | undefined {
  const path = (process.env.PATH ?? '').split(delimiter).filter(Boolean)
  const folders = [...first, ...path, ...systemFolders]
  return folders.map((folder) => join(folder, name)).find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    // Absent or not ours to run: either way it is not the one.
    return false
  }
}

function findJava(): string | undefined {
  const { JAVA_HOME } = process.env
  const java = findProgram('java', JAVA_HOME ? [join(JAVA_HOME, 'bin')] : [])
  if (java === undefined) return undefined
  return javaVersion(java) >= minJava ? java : undefined
}

/** 17 for `openjdk 17.0.15 …`; 0 when it does not say, as the stub of macOS without a Java. */
function javaVersion(java: string): number {
  try {
    const said = execFileSync(java, ['--version'], {
      encoding: 'utf8',
      timeout: 20_000,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    return Number(/^\S+ (\d+)/.exec(said)?.[1] ?? 0)
  } catch {
    // Java 8 does not know --version and ends with an error: too old as well.
    return 0
  }
}
