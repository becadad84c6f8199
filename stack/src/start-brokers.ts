import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { AppError } from '@halles/kit/errors'
import { type BrokerAddresses, givenAddresses } from './brokers/given.ts'
import { type Brokers, openBrokers } from './brokers.ts'
import { openDataFolder } from './data-folder.ts'
import { createLogs } from './logs.ts'
import { reportChanges, terminalReport } from './report.ts'
import { watchNpm } from './watch-npm.ts'

const help = `Starts RabbitMQ, Kafka and Redis on this machine, without Docker, until Ctrl-C.

  npm run brokers [-- options]

  --data DIR   folder for what they keep (or HALLES_DATA; .halles)
  --help       this text

A broker whose address is given is used as it is: AMQP_URL, KAFKA_BROKERS, REDIS_URL. The others
run from what is installed. What is missing is installed: RabbitMQ, Redis, Java 17 and Maven as
Debian packages (as root; their services are not started), Kafka's jars by Maven into
$XDG_CACHE_HOME/halles (~/.cache/halles).

Everything listens on 127.0.0.1 only. The addresses, with passwords, are written to
DIR/brokers.json. RabbitMQ's tool for this broker: DIR/brokers/rabbitmq/rabbitmqctl list_queues

The platform on them: npm start -- --brokers (which starts them itself when they do not run yet).
`

const say = (text: string) => void process.stdout.write(`${text}\n`)

function readDataFolder(): string {
  try {
    const { values } = parseArgs({
      options: { data: { type: 'string' }, help: { type: 'boolean', default: false } },
    })
    if (values.help) {
      say(help)
      process.exit(0)
    }
    return values.data ?? process.env.HALLES_DATA ?? '.halles'
  } catch (error) {
    const message = error instanceof Error ? error.message : error
    process.stderr.write(`${message}\nTry: npm run brokers -- --help\n`)
    process.exit(2)
  }
}

function summarize(dataFolder: string, { addresses, kept }: Brokers): void {
  const { amqpUrl = '', kafkaBrokers = '', redisUrl = '' } = addresses satisfies BrokerAddresses
  say(`
The brokers are open after ${(performance.now() / 1_000).toFixed(1)} s.

  AMQP_URL        ${withoutPassword(amqpUrl)}
  KAFKA_BROKERS   ${kafkaBrokers}
  REDIS_URL       ${withoutPassword(redisUrl)}
  With passwords  ${join(dataFolder, 'brokers.json')}
  Logs            ${join(dataFolder, 'logs')}
`)
  say(kept.size === 0 ? 'All of them run elsewhere: nothing to keep here.' : 'Ctrl-C stops them.')
}

/** Terminals are recorded and shown around; the file is for this user alone. */
function withoutPassword(url: string): string {
  return url.replace(/:[^:@/]+@/, ':…@')
}

async function main(): Promise<void> {
  const given = readDataFolder()
  const stopping = new AbortController()
  let brokers: Brokers | undefined
  const finish = async (current: Brokers) => {
    await current.stop()
    say('The brokers are closed.')
    process.exit(0)
  }
  const interrupt = () => {
    if (stopping.signal.aborted) return
    say('\nClosing …')
    stopping.abort()
    if (brokers) void finish(brokers)
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupt)
  watchNpm(interrupt)
  // A terminal that was closed takes no more lines; that is no reason to stop working.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => stream.destroy())

  say('The brokers are opening …')
  try {
    const dataFolder = openDataFolder(given)
    brokers = await openBrokers(
      {
        dataFolder,
        names: ['rabbitmq', 'kafka', 'redis'],
        given: givenAddresses(process.env),
        env: process.env,
        isTemporary: false,
        logs: createLogs({
          folder: join(dataFolder, 'logs'),
          maxBytes: 10 * 1024 * 1024,
          checkMs: 2_000,
          onError: (part, message) => terminalReport.problem(`${part}: ${message}`),
        }),
        report: terminalReport,
        onChange: reportChanges(terminalReport, () => undefined),
      },
      stopping.signal,
    )
    if (stopping.signal.aborted) return finish(brokers)
    summarize(dataFolder, brokers)
    if (brokers.kept.size === 0) await finish(brokers)
  } catch (error) {
    if (stopping.signal.aborted) process.exit(0)
    const text =
      error instanceof AppError ? error.message : error instanceof Error ? error.stack : error
    process.stderr.write(`\nThe brokers cannot start. ${text}\n`)
    process.exit(1)
  }
}

await main()
