import { spawn } from 'node:child_process'
import { AppError } from '@halles/kit/errors'

export type Tool = {
  command: string
  args: readonly string[]
  /** What it is for, to begin a complaint with: `Redis could not be installed`. */
  purpose: string
  limitMs: number
  signal?: AbortSignal | undefined
  cwd?: string
  env?: Readonly<Record<string, string>>
}

/** Runs a program to its end and returns what it said. Throws an AppError with its last words. */
export function runTool(tool: Tool): Promise<string> {
  const { command, args, purpose, limitMs, signal, cwd, env } = tool
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      ...(cwd === undefined ? {} : { cwd }),
      ...(signal === undefined ? {} : { signal }),
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: limitMs,
    })
    let said = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        said = (said + chunk.toString()).slice(-4_000)
      })
    }
    const fail = (why: string, cause?: unknown) => {
      const words = said.trim().split('\n').slice(-12).join('\n  ')
      const message = `${purpose} (${command}: ${why}).${words === '' ? '' : `\n  ${words}`}`
      reject(new AppError('unavailable', 'TOOL_FAILED', message, { cause }))
    }
    child.once('error', (error) => fail(error.message, error))
    child.once('close', (code, ending) => {
      if (code === 0) return resolve(said)
      fail(ending === null ? `exit code ${code}` : `ended by ${ending}`)
    })
  })
}
