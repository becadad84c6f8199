import { randomBytes } from 'node:crypto'
import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { AppError } from '@halles/kit/errors'
import { type BrokerSetting, createKeptBroker, type KeptBroker } from '../brokers/kept-broker.ts'
import { answers, probeHaproxy } from '../brokers/probes.ts'
import { runTool } from '../brokers/run-tool.ts'
import { readText } from '../files.ts'
import { signalProcess } from '../processes.ts'
import { runningServers } from './admin-socket.ts'
import { type HaproxySettings, haproxyConfiguration } from './configuration.ts'

/** One gateway that takes requests. */
export type GatewayAddress = { name: string; host: string; port: number }

export type HaproxyOptions = BrokerSetting & {
  /** The program. */
  binary: string
  settings: Pick<HaproxySettings, 'http' | 'tls' | 'proxyNetworks' | 'limits'>
  gateways: readonly GatewayAddress[]
  /** On loopback: of health and metrics, and of HAProxy for itself. */
  ports: Readonly<Record<'metrics' | 'changes', number>>
  adminSocket: string
}

export type Haproxy = KeptBroker & {
  /**
   * Spreads requests over these gateways from now on, without losing a connection; those that were
   * left out finish what they have. Resolves when no new connection goes by the old list. Throws
   * an AppError when HAProxy refuses it; then the old list stays in force.
   */
  setGateways(gateways: readonly GatewayAddress[]): Promise<void>
  /** Reads the certificate anew. */
  reload(): Promise<void>
  /** The gateways that get requests now: listed, and well by HAProxy's own checks. */
  usedGateways(): Promise<string[]>
}

// A new process with a handful of servers is there in 50 ms; a busy machine takes its time.
const reloadLimitMs = 15_000

/** HAProxy in front of the gateways, kept alive. Its configuration is checked before it is used. */
export async function createHaproxy(options: HaproxyOptions): Promise<Haproxy> {
  const { folder, binary, ports } = options
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const dropTo = unprivileged(folder)
  const file = join(folder, 'haproxy.cfg')
  let revision = ''
  let listed = options.gateways

  async function write(gateways: readonly GatewayAddress[]): Promise<void> {
    const next = randomBytes(8).toString('hex')
    const text = haproxyConfiguration({
      ...options.settings,
      gateways: { kind: 'listed', servers: gateways },
      changesPort: ports.changes,
      metrics: { host: '127.0.0.1', port: ports.metrics },
      adminSocket: options.adminSocket,
      dropTo,
      revision: next,
    })
    const draft = `${file}.draft`
    writeFileSync(draft, text, { mode: 0o600 })
    const purpose = 'HAProxy refuses its configuration'
    await runTool({ command: binary, args: ['-c', '-f', draft], purpose, limitMs: 10_000 })
    renameSync(draft, file)
    revision = next
    listed = gateways
  }

  await write(listed)
  const kept = createKeptBroker(options, {
    name: 'HAProxy',
    // The master keeps the ports and starts a new worker on SIGUSR2, while the old one ends its work.
    command: [binary, '-W', '-f', file],
    // One that was being started when the file changed may have read the old one.
    isAnswering: () => answers(probeHaproxy(ports.metrics)),
  })

  /** Resolves when the file that was written last is in force, or will be read at the next start. */
  async function apply(): Promise<void> {
    const endsAtMs = performance.now() + reloadLimitMs
    let told: number | undefined
    while (!['stopped', 'stopping'].includes(kept.status().state)) {
      if (await answers(probeHaproxy(ports.metrics, revision))) return
      const pid = kept.status().state === 'ready' ? kept.serverPid() : undefined
      if (pid !== undefined && pid !== told) signalProcess(pid, 'SIGUSR2')
      told = pid ?? told
      if (performance.now() > endsAtMs) {
        const words = options.logTail().map((line) => `\n  ${line.slice(0, 600)}`)
        const message = `HAProxy did not take its new configuration.${words.join('')}`
        throw new AppError('unavailable', 'EDGE_RELOAD_FAILED', message)
      }
      await delay(25)
    }
  }

  // One after the other: each waits for its own revision.
  let last: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = last.then(work)
    last = turn.catch(() => undefined)
    return turn
  }
  return {
    ...kept,
    ports: { http: options.settings.http.port, ...ports },
    setGateways: (gateways) =>
      inTurn(async () => {
        if (isDeepStrictEqual(gateways, listed)) return
        await write(gateways)
        await apply()
      }),
    reload: () =>
      inTurn(async () => {
        await write(listed)
        await apply()
      }),
    usedGateways: () => inTurn(() => runningServers(options.adminSocket)),
  }
}

/** Whom root becomes: Debian's user, or nobody, shut in an empty folder. */
function unprivileged(folder: string): HaproxySettings['dropTo'] {
  if (process.getuid?.() !== 0) return undefined
  const empty = join(folder, 'empty')
  mkdirSync(empty, { recursive: true, mode: 0o755 })
  const has = (file: string, name: string) =>
    readText(file)
      ?.split('\n')
      .some((line) => line.startsWith(`${name}:`)) === true
  const user = has('/etc/passwd', 'haproxy') ? 'haproxy' : 'nobody'
  const group = ['haproxy', 'nogroup', 'nobody'].find((name) => has('/etc/group', name))
  return group === undefined ? undefined : { user, group, folder: empty }
}
