import { execFileSync } from 'node:child_process'

export type Level = 'ok' | 'warn' | 'fail'

/** What the doctor says of one thing; `todo` says what to do about it. */
export type Finding = { name: string; level: Level; text: string; todo?: string }

export const ok = (name: string, text: string): Finding => ({ name, level: 'ok', text })

export const warn = (name: string, text: string, todo: string): Finding => ({
  ...{ name, level: 'warn', text, todo },
})

export const fail = (name: string, text: string, todo: string): Finding => ({
  ...{ name, level: 'fail', text, todo },
})

/** What is looked at. */
export type Patient = {
  dataFolder: string
  port: number
  env: Readonly<Record<string, string | undefined>>
}

// A program that is asked for its version on a busy machine.
const askLimitMs = 20_000

/** The first line that a program says; undefined when it does not run. */
export function ask(program: string, args: readonly string[]): string | undefined {
  try {
    const said = execFileSync(program, args, {
      ...{ encoding: 'utf8', timeout: askLimitMs },
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    return said.trim().split('\n')[0]
  } catch (error) {
    // Absent, not for this machine, or broken: the caller says what that means.
    if (error instanceof Error) return undefined
    throw error
  }
}
