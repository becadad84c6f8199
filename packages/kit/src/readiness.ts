import { Client } from 'undici'
import type { Health } from './discovery.ts'

/** Asks one instance how it is, over a connection of its own. */
export type Probe = {
  /** Rejects when it does not answer, and when the signal is aborted. */
  ask(signal: AbortSignal): Promise<Health>
  close(): Promise<void>
}

export type ProbeTimes = {
  /** Milliseconds between two probes of an instance, ± a tenth; half a second when left out. */
  readonly intervalMs?: number
  /** Milliseconds until a probe counts as failed; a second when left out. */
  readonly limitMs?: number
}

export type WatchOptions = ProbeTimes & {
  probe: Probe
  report(health: Health): void
  random?: () => number
}

// Half a second is what a caller may go on asking an instance that is about to stop; servers stop
// no sooner than that after they said so.
const defaultIntervalMs = 500
// A process that cannot say within a second how it is does not serve shoppers either.
const defaultLimitMs = 1_000
// A readiness answer is one line.
const maxAnswerBytes = 16 * 1024

/**
 * Asks again and again. One failure may be a lost packet, so a second one right after it decides;
 * one answer is enough to be healthy again.
 */
export function watchReadiness(options: WatchOptions): { stop(): Promise<void> } {
  const { probe, report, random = Math.random } = options
  const { intervalMs = defaultIntervalMs, limitMs = defaultLimitMs } = options
  const stopping = new AbortController()
  let failures = 0

  async function ask(): Promise<void> {
    // The second in a row need not wait as long: it only confirms.
    const limit = failures === 0 ? limitMs : limitMs / 2
    try {
      const health = await withinLimit(probe, limit, stopping.signal)
      failures = 0
      if (!stopping.signal.aborted) report(health)
    } catch (error) {
      if (!(error instanceof Error)) throw error
      failures += 1
      // Not to answer is an answer here, whatever the reason.
      if (failures > 1 && !stopping.signal.aborted) report('unhealthy')
    }
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      await ask()
      const isDoubtful = failures === 1
      await pause(isDoubtful ? intervalMs / 20 : intervalMs * (0.9 + random() / 5), stopping.signal)
    }
  }

  const running = run()
  return {
    async stop() {
      stopping.abort(new Error('The watch ends.'))
      await running
      await probe.close()
    },
  }
}

async function withinLimit(probe: Probe, limitMs: number, stopping: AbortSignal): Promise<Health> {
  const controller = new AbortController()
  const abort = () => controller.abort(new Error('No answer in time.'))
  // Where this process itself was held up, the answer may have arrived already and is read first.
  const timer = setTimeout(() => setImmediate(abort), limitMs).unref()
  stopping.addEventListener('abort', abort, { once: true })
  try {
    return await probe.ask(controller.signal)
  } finally {
    clearTimeout(timer)
    stopping.removeEventListener('abort', abort)
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    // A process must be able to end while it only watches others.
    const timer = setTimeout(end, ms).unref()
    signal.addEventListener('abort', end, { once: true })
    if (signal.aborted) end()
  })
}

/**
 * Asks an HTTP server's `/readyz`. A 503 drains when it says `stopping`, and is not to be asked
 * otherwise; servers of others that know no such path are taken for ready.
 */
export function createHttpProbe(origin: string): Probe {
  const client = new Client(origin, { pipelining: 1, maxResponseSize: maxAnswerBytes })
  return {
    async ask(signal) {
      const answer = await client.request({ method: 'GET', path: '/readyz', signal })
      const text = await answer.body.text()
      if (answer.statusCode < 500) return 'ready'
      return answer.statusCode === 503 && stateIn(text) === 'stopping' ? 'draining' : 'unhealthy'
    },
    close: () => client.destroy(),
  }
}

function stateIn(text: string): unknown {
  try {
    return (JSON.parse(text) as { state?: unknown } | null)?.state
  } catch (error) {
    // What is not ours may answer anything; it is not ready, whatever it says.
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
