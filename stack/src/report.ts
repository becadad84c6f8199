import type { KeptProcessOptions } from './kept-process.ts'

/** Where people are told what is being done. */
export type Report = {
  done(what: string, tookMs: number): void
  note(text: string): void
  problem(text: string): void
}

const say = (text: string) => void process.stdout.write(`${text}\n`)

/** Tells the terminal. */
export const terminalReport: Report = {
  done: (what, tookMs) => say(`  ${what.padEnd(18)} ready after ${(tookMs / 1_000).toFixed(2)} s`),
  note: (text) => say(`  ${text}`),
  problem: (text) => void process.stderr.write(`  ! ${text}\n`),
}

/** Reports each process that becomes ready, crashes or comes back. */
export function reportChanges(report: Report, record: () => void) {
  return (name: string): KeptProcessOptions['onChange'] => {
    let startedAtMs = performance.now()
    return ({ state, reason }) => {
      record()
      if (state === 'starting') startedAtMs = performance.now()
      if (state === 'ready') report.done(name, performance.now() - startedAtMs)
      if (state === 'waiting') report.problem(`${reason}; it is started again.`)
    }
  }
}
