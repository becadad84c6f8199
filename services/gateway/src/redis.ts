import { createHash } from 'node:crypto'
import type { Logger } from '@halles/kit/logging'
import { createLoop } from '@halles/kit/loop'
import { createClient, ErrorReply, RESP_TYPES } from '@redis/client'

/** A Lua script: Redis runs it as one step that nobody else's command can come between. */
export type Script = { readonly source: string; readonly sha: string }

export function createScript(source: string): Script {
  return { source, sha: createHash('sha1').update(source).digest('hex') }
}

export type Redis = {
  /**
   * Which data is reachable now, to be compared: another server, or the same after a restart or a
   * take-over, holds other data. Undefined while Redis is away or late.
   */
  space(): string | undefined
  /**
   * Runs the script. Keys begin with the server's run id, so what it held before a restart is never
   * found again. Texts come back as buffers. Resolves with undefined when Redis is away, refuses, or
   * does not answer in time; then the script may or may not run.
   */
  run(
    script: Script,
    keys: readonly string[],
    values?: readonly (string | number | Buffer)[],
  ): Promise<unknown>
  start(): Promise<void>
  stop(): Promise<void>
}

// A shopper waits for it: far above the half millisecond that Redis takes, below what is noticed.
const defaultLimitMs = 50
// How often a Redis that was late is asked whether it is back.
const probeMs = 200
// Without a word for so long the other side is gone, though nobody closed the connection.
const silenceMs = 5_000
const connectLimitMs = 2_000
// Several gateways must not return in step, and a Redis that is back should be used soon.
const backoff = { baseMs: 100, maxMs: 2_000 }
// Commands under way; beyond it they fail at once. A late Redis is not asked, so few pile up.
const maxUnderWay = 10_000
// The same complaint is not written more often than that.
const complaintMs = 10_000

const bytes = { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } }

/** One connection to one server. */
type Link = {
  readonly space: string
  readonly prefix: string
  /** It did not answer in time; nobody waits for it until it answers a probe. */
  isLate(): boolean
  /** The answer or refusal, or undefined when there is none in time. */
  ask(command: readonly (string | Buffer)[]): Promise<unknown>
  close(): void
}

type LinkOptions = { limitMs: number; complain: (reason: string) => void }

/**
 * One connection to Redis, on which nobody waits longer than a limit.
 * @param options.limitMs how long anybody waits for an answer; 50 when absent.
 */
export function createRedis(options: { url: string; logger: Logger; limitMs?: number }): Redis {
  const { url, logger, limitMs = defaultLimitMs } = options
  let link: Link | undefined
  let close: () => void = () => undefined
  let complainedAtMs = Number.NEGATIVE_INFINITY

  function complain(reason: string): void {
    if (performance.now() - complainedAtMs < complaintMs) return
    complainedAtMs = performance.now()
    logger.warn({ reason }, 'Redis is away: this gateway caches and counts by itself.')
  }

  /** Connects, and resolves when the connection is over. */
  async function hold(): Promise<number> {
    const client = openClient(url)
    const { promise: lost, resolve: lose } = Promise.withResolvers<void>()
    client.on('error', (error: Error) => {
      complain(error.message)
      lose()
    })
    client.on('end', () => lose())
    close = () => client.destroy()
    const limit = setTimeout(close, connectLimitMs)
    try {
      await Promise.race([client.connect(), lost.then(failToConnect)])
      const info = await Promise.race([client.sendCommand(['INFO']), lost.then(failToConnect)])
      clearTimeout(limit)
      link = createLink(client, String(info), { limitMs, complain })
      logger.info('Redis is there.')
      await lost
    } finally {
      clearTimeout(limit)
      link?.close()
      link = undefined
      client.destroy()
    }
    return backoff.baseMs
  }

  const loop = createLoop({ name: 'redis', logger, round: hold, backoff })

  return {
    space: () => (link && !link.isLate() ? link.space : undefined),
    async run(script, keys, values = []) {
      const held = link
      if (!held || held.isLate()) return undefined
      const named = keys.map((key) => `${held.prefix}:${key}`)
      const rest = [String(named.length), ...named, ...values.map(toArgument)]
      let reply = await held.ask(['EVALSHA', script.sha, ...rest])
      if (reply instanceof ErrorReply && reply.message.startsWith('NOSCRIPT')) {
        reply = await held.ask(['EVAL', script.source, ...rest])
      }
      if (!(reply instanceof ErrorReply)) return reply
      complain(reply.message)
      // Its primary is elsewhere now; a new connection finds it.
      if (reply.message.startsWith('READONLY')) close()
      return undefined
    },
    async start() {
      loop.start()
    },
    async stop() {
      const stopped = loop.stop()
      close()
      await stopped
    },
  }
}

function openClient(url: string) {
  return createClient({
    url,
    name: 'halles-gateway',
    // Reconnected by the loop above, which also finds out which server it is.
    socket: { reconnectStrategy: false, connectTimeout: connectLimitMs },
    disableOfflineQueue: true,
    commandsQueueMaxLength: maxUnderWay,
    // The library's limit ends when a command is written; ours ends with the answer.
    commandOptions: { timeout: 0 },
    maintNotifications: 'disabled',
  })
}

/**
 * Watches over the answers. One that is late is enough to stop asking, one probe answered in time to
 * go on: all commands share the connection and are answered in their order, so the probe speaks for
 * all of them.
 */
function createLink(
  client: ReturnType<typeof openClient>,
  info: string,
  { limitMs, complain }: LinkOptions,
): Link {
  let isLate = false
  let heardAtMs = performance.now()

  function ask(command: readonly (string | Buffer)[]): Promise<unknown> {
    return new Promise((resolve) => {
      let isSettled = false
      const settle = (reply: unknown) => {
        isSettled = true
        clearTimeout(timer)
        resolve(reply)
      }
      // If we were the ones who were late, the answer is read in the turn that ends here.
      const timer = setTimeout(() => setImmediate(giveUp), limitMs)
      const giveUp = () => {
        if (isSettled) return
        settle(undefined)
        if (isLate) return
        isLate = true
        complain('It did not answer in time.')
        probe()
      }
      client.sendCommand(command, bytes).then(
        (reply) => {
          heardAtMs = performance.now()
          settle(reply)
        },
        (error: Error) => settle(error instanceof ErrorReply ? error : undefined),
      )
    })
  }

  function probe(): void {
    if (performance.now() - heardAtMs > silenceMs) client.destroy()
    else void ask(['PING']).then(wake)
  }

  function wake(pong: unknown): void {
    if (pong !== undefined) isLate = false
  }

  const probing = setInterval(probe, probeMs)
  return { ...readInfo(info), isLate: () => isLate, ask, close: () => clearInterval(probing) }
}

const toArgument = (value: string | number | Buffer) =>
  typeof value === 'number' ? String(value) : value

function failToConnect(): never {
  throw new Error('Redis did not take the connection.')
}

function readInfo(info: string): Pick<Link, 'prefix' | 'space'> {
  const run = /^run_id:(\w+)/m.exec(info)?.[1]
  if (!run) throw new Error('Redis does not tell its run_id; INFO must be allowed.')
  // It changes with a take-over. Not part of the keys: a primary may change it while it runs.
  const replication = /^master_replid:(\w+)/m.exec(info)?.[1] ?? ''
  return { prefix: `halles:${run.slice(0, 12)}`, space: `${run} ${replication}` }
}
