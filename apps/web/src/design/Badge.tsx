import type { ReactNode } from 'react'

export type Tone = 'good' | 'warn' | 'bad'

/** A state in a word; its colour repeats what the word says. */
export function Badge({ tone, children }: { tone?: Tone; children: ReactNode }) {
  return (
    <span className="badge" data-tone={tone}>
      {children}
    </span>
  )
}
