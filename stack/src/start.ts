import { parseArgs } from 'node:util'
import { AppError } from '@halles/kit/errors'
import { commandOf, isAlive, parentOf } from './processes.ts'
import { type Report, type Stack, type StackOptions, startStack } from './stack.ts'
import { canSharePort, defaultReplicas, parts } from './topology.ts'

const help = `Starts the whole platform on this machine.

  npm start -- [options]

  --port N             port that people use (or PORT; 8080)
  --data DIR           folder for everything that is kept (or HALLES_DATA; .halles)
  --replicas a=2,b=3   processes of a part (gateway=2, everything else 1)
  --host ADDRESS       address to listen on (0.0.0.0: every network; 127.0.0.1: this machine only)
  --verbose            say more while starting, and log at level debug
  --help               this text

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
        verbose: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error))
  }
}

function readOptions(report: Report): StackOptions {
  const values = parseArguments()
  if (values.help) {
    process.stdout.write(help)
    process.exit(0)
  }
  const { env } = process
  const portText = values.port ?? env.PORT ?? '8080'
  const port = Number(portText)
  if (!/^\d+$/.test(portText) || port < 1 || port > 65_535) refuse(`"${portText}" is not a port.`)
  const replicas = { ...defaultReplicas, ...parseReplicas(values.replicas) }
  if (!canSharePort && (replicas.gateway ?? 1) > 1) {
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
    publicUrl: env.PUBLIC_URL ?? `http://localhost:${port}`,
    logLevel: env.LOG_LEVEL ?? (values.verbose ? 'debug' : 'info'),
    currency: env.SHOP_CURRENCY ?? 'EUR',
    hasDemoCatalogue: env.DEMO_CATALOGUE !== 'false',
    stripe: apiKey && webhookSecret ? { apiKey, webhookSecret } : undefined,
    overrides: env,
    replicas,
    report,
  }
}

const say = (text: string) => void process.stdout.write(`${text}\n`)

const report: Report = {
  done: (what, tookMs) => say(`  ${what.padEnd(18)} ready after ${(tookMs / 1_000).toFixed(2)} s`),
  note: (text) => say(`  ${text}`),
  problem: (text) => void process.stderr.write(`  ! ${text}\n`),
}

function summarize({ platform, instances }: Stack, tookMs: number): void {
  const { publicUrl, secrets, dataFolder } = platform
  const sandbox = instances.find(({ part }) => part.name === 'stripe-sandbox')
  say(`
Halles is open after ${(tookMs / 1_000).toFixed(1)} s: ${instances.length} processes and PostgreSQL.

  API             ${publicUrl}/api/v1
  Documentation   ${publicUrl}/docs
  OpenAPI         ${publicUrl}/openapi.json${
    sandbox ? `\n  Card sandbox    http://localhost:${sandbox.ports.http} (no real money)` : ''
  }
  Administrator   ${secrets.admin.email}  ${secrets.admin.password}
  Data and logs   ${dataFolder}

Ctrl-C stops it.`)
}

/**
 * Calls back when the npm that started us is gone: killed with -9 it cannot tell us, and we would
 * go on without anybody who can stop us.
 */
function watchNpm(onGone: () => void): void {
  if (process.env.npm_lifecycle_event === undefined) return
  // Between npm and us there is a shell, unless it replaced itself by us.
  const npm = [process.ppid, parentOf(process.ppid)].find(
    (pid) => pid !== undefined && /^npm\b/.test(commandOf(pid)),
  )
  if (npm === undefined) return
  const timer = setInterval(() => {
    if (isAlive(npm)) return
    clearInterval(timer)
    onGone()
  }, 1_000)
  timer.unref()
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
  summarize(stack, performance.now())
}

await main()
