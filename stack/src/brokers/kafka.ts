import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { AppError } from '@halles/kit/errors'
import { type BrokerSetting, createKeptBroker, type KeptBroker } from './kept-broker.ts'
import { answers, probeKafka } from './probes.ts'

export type KafkaOptions = BrokerSetting & {
  java: string
  /** Folder of Kafka's jars. */
  jars: string
  clusterId: string
  ports: Readonly<Record<'kafka' | 'controller', number>>
  /** A second listener that tells clients another port than its own, for a proxy in between. */
  proxied?: { listenPort: number; advertisedPort: number } | undefined
}

/** One Kafka node, broker and KRaft controller in one process, on loopback. */
export async function createKafka(options: KafkaOptions): Promise<KeptBroker & { url: string }> {
  const { folder, ports } = options
  const url = `127.0.0.1:${ports.kafka}`
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const file = join(folder, 'server.properties')
  writeFileSync(file, settings(options))
  if (!existsSync(join(folder, 'data', 'meta.properties'))) await format(options, file)
  const kept = createKeptBroker(options, {
    name: 'Kafka',
    command: [options.java, ...javaArguments(options.jars), 'kafka.Kafka', file],
    isAnswering: () => answers(probeKafka(url)),
  })
  return { ...kept, ports: { kafka: ports.kafka }, url }
}

function javaArguments(jars: string): string[] {
  return [
    ...['-Xms64m', '-Xmx320m', '-XX:+UseSerialGC', '-XX:+ExitOnOutOfMemoryError'],
    // One short-lived node gains nothing from the slow second compiler.
    ...['-XX:TieredStopAtLevel=1', '-Djava.awt.headless=true'],
    ...['-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'],
    ...['-Dorg.slf4j.simpleLogger.showDateTime=true', '-cp', join(jars, '*')],
  ]
}

function settings({ folder, ports, proxied }: KafkaOptions): string {
  const plain = `PLAINTEXT://127.0.0.1:${ports.kafka}`
  const listens = proxied ? [`PROXIED://127.0.0.1:${proxied.listenPort}`] : []
  const tells = proxied ? [`PROXIED://127.0.0.1:${proxied.advertisedPort}`] : []
  return `process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:${ports.controller}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listeners=${[plain, ...listens, `CONTROLLER://127.0.0.1:${ports.controller}`].join(',')}
advertised.listeners=${[plain, ...tells].join(',')}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=${join(folder, 'data')}
# Topics are created by who owns them, with the partitions that they need.
auto.create.topics.enable=false
# There is one node.
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
# 50 each by default, which a start and a stop have to open and close.
offsets.topic.num.partitions=4
transaction.state.log.num.partitions=4
share.coordinator.state.topic.num.partitions=4
# After a kill -9 the node may register again only when its earlier session is over: 9 s by default.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
# A group of one machine need not wait for members from elsewhere.
group.initial.rebalance.delay.ms=0
# 128 MB of the heap by default.
log.cleaner.dedupe.buffer.size=16777216
`
}

// A JVM's start on a busy machine.
const formatLimitMs = 60_000

function format({ java, jars, folder, clusterId }: KafkaOptions, file: string): Promise<void> {
  const tool = ['kafka.tools.StorageTool', 'format', '--cluster-id', clusterId, '--config', file]
  return new Promise((resolve, reject) => {
    const child = spawn(java, [...javaArguments(jars), ...tool], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: formatLimitMs,
    })
    let said = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        said = (said + chunk.toString()).slice(-2_000)
      })
    }
    child.once('error', reject)
    child.once('close', (code, signal) => {
      if (code === 0) return resolve()
      const message = `Kafka's data folder could not be made (${signal ?? `exit code ${code}`}):\n  ${said.trim()}`
      reject(new AppError('unavailable', 'BROKER_FAILED', message))
    })
  })
}
