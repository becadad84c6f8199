import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'

export type ToolOptions = {
  cwd?: string
  /** Longer than anything takes that does not hang; one minute when absent. */
  limitMs?: number
  /** Codes that are an answer too; 0 always is. */
  codes?: readonly number[]
}

// Enough to say why; a build says thousands of lines.
const keptBytes = 8_000

/** Runs a program and returns what it wrote to standard output. Throws with its last words. */
export function runProgram(
  command: string,
  args: readonly string[],
  { cwd, limitMs = 60_000, codes = [] }: ToolOptions = {},
): Promise<string> {
  const child = spawn(command, args, {
    ...(cwd === undefined ? {} : { cwd }),
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: limitMs,
  })
  let output = ''
  let words = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
    words = `${words}${chunk.toString()}`.slice(-keptBytes)
  })
  child.stderr.on('data', (chunk: Buffer) => {
    words = `${words}${chunk.toString()}`.slice(-keptBytes)
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      if (code === 0 || (code !== null && codes.includes(code))) return resolve(output)
      const how = signal ?? `code ${code}`
      reject(new Error(`${command} ${args.slice(0, 4).join(' ')} … ended with ${how}:\n${words}`))
    })
  })
}

/**
 * What podman and buildah need on a machine that is a container itself: they may not raise their
 * own limits, and runc is content with every layout of control groups.
 */
export function runtimeOptions(): { global: string[]; limits: string[] } {
  const limits = readFileSync('/proc/self/limits', 'utf8')
  const hard = (name: string, most: number) => {
    const found = new RegExp(`^${name} +\\S+ +(\\S+)`, 'm').exec(limits)?.[1]
    return Math.min(found === undefined || found === 'unlimited' ? most : Number(found), most)
  }
  const files = hard('Max open files', 65_536)
  const processes = hard('Max processes', 32_768)
  return {
    global: ['--runtime', 'runc'],
    limits: [`nofile=${files}:${files}`, `nproc=${processes}:${processes}`].flatMap((each) => [
      '--ulimit',
      each,
    ]),
  }
}
