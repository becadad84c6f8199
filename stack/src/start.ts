import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { AppError } from '@halles/kit/errors'
import type { EdgeWanted } from './edge.ts'
import { type Report, terminalReport as report } from './report.ts'
import { type Stack, type StackOptions, startStack } from './stack.ts'
import { readWanted } from './stack-brokers.ts'
import { canSharePort, defaultReplicas, parts } from './topology.ts'
import { watchNpm } from './watch-npm.ts'

const help = `Starts the whole platform on this machine.

  npm start -- [options]

  --port N             port that people use (or PORT; 8080)
  --data DIR           folder for everything that is kept (or HALLES_DATA; .halles)
  --replicas a=2,b=3   processes of a part (gateway=2, everything else 1)
  --host ADDRESS       address to listen on (0.0.0.0: every network; 127.0.0.1: this machine only)
  --https-port N       a port for HTTPS besides, at HAProxy
  --certificate FILE   certificate, chain and key for it, as PEM (one for this machine is made)
  --edge haproxy       HAProxy before the gateways (with --brokers where it can be had), or
         shared-port   gateways that share the port
  --brokers            messages in RabbitMQ and Kafka instead of PostgreSQL: they are started here
                       (installed where they are missing, see npm run brokers -- --help), unless
                       AMQP_URL or KAFKA_BROKERS say where they are
  --verbose            say more while starting, and log at level debug
  --background         what it says goes to a log (npm run halles -- up)
  --help               this text

AMQP_URL and KAFKA_BROKERS (with KAFKA_USERNAME, KAFKA_PASSWORD, KAFKA_SASL_MECHANISM, KAFKA_TLS and
KAFKA_TLS_CA) put the messages there also without --brokers. A data folder stays with the kind of
broker that it was first used with.

Also read: PUBLIC_URL, SHOP_CURRENCY (EUR), DEMO_CATALOGUE (true), LOG_LEVEL (info), ADMIN_EMAIL,
STRIPE_API_KEY with STRIPE_WEBHOOK_SECRET to take real payments instead of the sandbox's, and
HALLES_<PART>_<NAME> for any setting of one part (HALLES_GATEWAY_CACHE_BYTES=1000000).
`

/** Something is wrong with how we were called; exits 2. */
function refuse(message: string): never {
  process.stderr.write(`${message}\nTry: npm start -- --help\n`)
  process.exit(2)
}

const maxReplicas = 16

function parseReplicas(text: string): Record<string, number> {
  const replicas: Record<string, number> = {}
  for (const item of text.split(',').filter((each) => each !== '')) {
    const [name = '', count = ''] = item.split('=')
    if (!parts.some((part) => part.name === name) || name === 'stripe-sandbox') {
      refuse(`--replicas: there is no part "${name}".`)
    }
    if (!/^\d+$/.test(count) || Number(count) < 1 || Number(count) > maxReplicas) {
      refuse(`--replicas: ${name} needs a number from 1 to ${maxReplicas}.`)
    }
    replicas[name] = Number(count)
  }
  return replicas
}

function parseArguments() {
  try {
    return parseArgs({
      options: {
        port: { type: 'string' },
        data: { type: 'string' },
        replicas: { type: 'string', default: '' },
        host: { type: 'string', default: '0.0.0.0' },
        'https-port': { type: 'string' },
        certificate: { type: 'string' },
        edge: { type: 'string' },
        brokers: { type: 'boolean', default: false },
        verbose: { type: 'boolean', default: false },
        background: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error))
  }
}

function parsePort(text: string): number {
  const port = Number(text)
  return /^\d+$/.test(text) && port >= 1 && port <= 65_535
    ? port
    : refuse(`"${text}" is not a port.`)
}

function readEdge(values: ReturnType<typeof parseArguments>): EdgeWanted {
  const { edge: kind, certificate, 'https-port': httpsPort } = values
  if (kind !== undefined && kind !== 'haproxy' && kind !== 'shared-port') {
    refuse(`--edge: "${kind}" is neither haproxy nor shared-port.`)
  }
  if (certificate !== undefined && httpsPort === undefined) refuse('--certificate: --https-port?')
  if (httpsPort !== undefined && kind === 'shared-port') {
    refuse('--https-port: HAProxy speaks HTTPS, gateways do not. Leave --edge out.')
  }
  return {
    kind,
    isPreferred: values.brokers,
    ...(httpsPort === undefined ? {} : { https: { port: parsePort(httpsPort), certificate } }),
  }
}

function readOptions(report: Report): StackOptions {
  const values = parseArguments()
  if (values.help) {
    process.stdout.write(help)
    process.exit(0)
  }
  const { env } = process
  const port = parsePort(values.port ?? env.PORT ?? '8080')
  const edge = readEdge(values)
  const mayBalance = edge.kind === 'haproxy' || edge.https !== undefined
  const replicas = { ...defaultReplicas, ...parseReplicas(values.replicas) }
  if (!canSharePort && !mayBalance && (replicas.gateway ?? 1) > 1) {
    replicas.gateway = 1
    report.note('This system cannot share a port between processes: one gateway.')
  }
  const { STRIPE_API_KEY: apiKey, STRIPE_WEBHOOK_SECRET: webhookSecret } = env
  if (apiKey && !webhookSecret) {
    refuse('STRIPE_API_KEY is set and STRIPE_WEBHOOK_SECRET is not: no payment could be confirmed.')
  }
  return {
    dataFolder: values.data ?? env.HALLES_DATA ?? '.halles',
    port,
    host: values.host,
    publicUrl:
      env.PUBLIC_URL ??
      (edge.https ? `https://localhost:${edge.https.port}` : `http://localhost:${port}`),
    edge,
    logLevel: env.LOG_LEVEL ?? (values.verbose ? 'debug' : 'info'),
    currency: env.SHOP_CURRENCY ?? 'EUR',
    hasDemoCatalogue: env.DEMO_CATALOGUE !== 'false',
    stripe: apiKey && webhookSecret ? { apiKey, webhookSecret } : undefined,
    overrides: env,
    brokers: readWanted(env, values.brokers),
    replicas,
    report,
  }
}

const say = (text: string) => void process.stdout.write(`${text}\n`)

function describeEdge({ edge }: Stack): string {
  if (!edge) return ''
  const { haproxy, certificate } = edge
  const plain = `\n  Load balancer   HAProxy, http://localhost:${haproxy.ports.http}`
  if (!certificate) return plain
  const until = certificate.endsAt.toISOString().slice(0, 10)
  const own = certificate.isSelfMade ? ', made here: browsers warn' : ''
  return `${plain}\n  Certificate     ${certificate.file} until ${until}${own}`
}

type Opened = { stack: Stack; hasLocalBrokers: boolean; tookMs: number; isBackground: boolean }

function summarize({ stack, hasLocalBrokers, tookMs, isBackground }: Opened): void {
  const { platform, instances } = stack
  const { publicUrl, secrets, dataFolder } = platform
  const sandbox = instances.find(({ part }) => part.name === 'stripe-sandbox')
  say(`
Halles is open after ${(tookMs / 1_000).toFixed(1)} s: ${instances.length} processes and PostgreSQL.

  Shop            ${publicUrl}/
  Office          ${publicUrl}/office
  Console         ${publicUrl}/console

  API             ${publicUrl}/api/v1
  Documentation   ${publicUrl}/docs
  OpenAPI         ${publicUrl}/openapi.json${
    sandbox ? `\n  Card sandbox    http://localhost:${sandbox.ports.http} (no real money)` : ''
  }${describeEdge(stack)}
  Administrator   ${secrets.admin.email}  ${
    // What runs in the background writes to a log, which is no place for a password.
    isBackground ? join(dataFolder, 'admin.json') : secrets.admin.password
  }
  Data and logs   ${dataFolder}${
    hasLocalBrokers ? `\n  Brokers         ${join(dataFolder, 'brokers.json')}` : ''
  }

${isBackground ? 'npm run halles -- down' : 'Ctrl-C'} stops it.`)
}

// npm passes a terminal's Ctrl-C on although we get it ourselves: the second one is not a person's.
const echoMs = 500

async function main(): Promise<void> {
  const options = readOptions(report)
  const stopping = new AbortController()
  let stack: Stack | undefined
  let firstAtMs: number | undefined

  const finish = async (current: Stack) => {
    await current.stop()
    say('Halles is closed.')
    process.exit(0)
  }
  const interrupt = () => {
    if (firstAtMs === undefined) {
      firstAtMs = performance.now()
      say('\nClosing: what is under way is finished first. Ctrl-C again to stop at once.')
      stopping.abort()
      if (stack) void finish(stack)
    } else if (performance.now() - firstAtMs > echoMs) {
      stack?.kill()
      process.exit(130)
    }
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupt)
  watchNpm(interrupt)
  // A terminal that was closed takes no more lines; that is no reason to stop working.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => stream.destroy())

  say('Halles is opening …')
  try {
    stack = await startStack(options, stopping.signal)
  } catch (error) {
    if (stopping.signal.aborted) process.exit(0)
    const text =
      error instanceof AppError ? error.message : error instanceof Error ? error.stack : error
    process.stderr.write(`\nHalles cannot start. ${text}\n`)
    process.exit(1)
  }
  if (stopping.signal.aborted) return finish(stack)
  const { areLocal: hasLocalBrokers } = options.brokers
  const { background: isBackground } = parseArguments()
  summarize({ stack, hasLocalBrokers, tookMs: performance.now(), isBackground })
}

await main()
