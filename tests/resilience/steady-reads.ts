import { Agent } from 'node:http'
import { ask } from '../edge/load.ts'

/** What became of reads so far. */
export type ReadFigures = {
  readonly requests: number
  readonly failures: readonly string[]
  readonly slowestMs: number
}

export type SteadyReads = {
  figures(): ReadFigures
  /** Ends the load and waits for what is under way. */
  stop(): Promise<ReadFigures>
}

// How often the clock is looked at: finer than a person could tell, coarse enough to cost nothing.
const tickMs = 10
// Where nobody answers, requests pile up instead of connections.
const maxSockets = 64

/**
 * Reads at a steady rate whether answers come or not, as people do, each target in its turn, over
 * connections that are kept. Nothing is asked twice: what breaks counts.
 */
export function startSteadyReads(
  url: string,
  { targets, perSecond }: { targets: readonly string[]; perSecond: number },
): SteadyReads {
  const agent = new Agent({ keepAlive: true, maxSockets })
  const port = Number(new URL(url).port)
  const underWay = new Set<Promise<void>>()
  const failures: string[] = []
  const startedAtMs = performance.now()
  let [sent, slowestMs] = [0, 0]

  async function read(path: string): Promise<void> {
    const atMs = performance.now()
    try {
      const { status, body } = await ask({ port, path, agent })
      if (status !== 200) failures.push(`${path}: ${status} ${body.slice(0, 200)}`)
    } catch (error) {
      failures.push(`${path}: ${error}`)
    }
    slowestMs = Math.max(slowestMs, performance.now() - atMs)
  }

  const timer = setInterval(() => {
    const due = ((performance.now() - startedAtMs) / 1_000) * perSecond
    for (; sent < due; sent += 1) {
      const work = read(targets[sent % targets.length] ?? '/')
      underWay.add(work)
      void work.then(() => underWay.delete(work))
    }
  }, tickMs)
  const figures = () => ({ requests: sent - underWay.size, failures: [...failures], slowestMs })
  return {
    figures,
    async stop() {
      clearInterval(timer)
      await Promise.all(underWay)
      agent.destroy()
      return figures()
    },
  }
}
