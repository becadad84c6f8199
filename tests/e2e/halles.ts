import { spawn } from 'node:child_process'
import { resolve } from 'node:path'

export type Ended = { code: number | null; out: string; err: string }

const root = resolve(import.meta.dirname, '../..')
// Longer than the longest command waits for its answer.
const defaultLimitMs = 120_000

/** Runs the command line as a person does: `halles(dataFolder)('dead-letters', 'list')`. */
export function halles(
  dataFolder: string,
  env: Record<string, string> = {},
  limitMs = defaultLimitMs,
) {
  return (...args: string[]): Promise<Ended> =>
    new Promise((settle, reject) => {
      const child = spawn(process.execPath, ['stack/src/cli/main.ts', ...args], {
        cwd: root,
        env: { ...process.env, HALLES_DATA: dataFolder, ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
        timeout: limitMs,
      })
      const ended: Ended = { code: null, out: '', err: '' }
      child.stdout.on('data', (chunk: Buffer) => {
        ended.out += chunk.toString()
      })
      child.stderr.on('data', (chunk: Buffer) => {
        ended.err += chunk.toString()
      })
      child.once('error', reject)
      child.once('close', (code) => settle({ ...ended, code }))
    })
}
