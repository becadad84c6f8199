import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { eventually } from '@halles/kit/testing'

export type RunningService = {
  url: string
  /** Everything that it has written, to both of its outputs. */
  output(): string
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>
}

/** Starts a service as the process that it is in production, and waits until it is ready. */
export async function startService(
  service: string,
  port: number,
  env: Readonly<Record<string, string>>,
): Promise<RunningService> {
  const main = fileURLToPath(new URL(`../../${service}/src/main.ts`, import.meta.url))
  const child = spawn(process.execPath, [main], {
    env: { PATH: process.env.PATH, PORT: String(port), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const chunks: string[] = []
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => chunks.push(chunk))
  }
  const output = () => chunks.join('')
  const url = `http://127.0.0.1:${port}`
  await eventually(
    async () => {
      if (hasEnded(child)) throw new Error(`${service} ended: ${output()}`)
      // Somebody else's server on this port would keep silent.
      const signal = AbortSignal.timeout(1_000)
      return (await fetch(`${url}/readyz`, { signal })).status === 200
    },
    { limitMs: 20_000 },
  )
  return {
    url,
    output,
    async stop(signal = 'SIGTERM') {
      if (hasEnded(child)) return
      const ended = once(child, 'exit')
      child.kill(signal)
      await ended
    },
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}
