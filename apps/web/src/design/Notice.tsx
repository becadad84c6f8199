import type { ReactNode } from 'react'
import type { Tone } from './Badge.tsx'

/** A sentence that people should see; `bad` is read out at once. */
export function Notice({ tone, children }: { tone?: Tone; children: ReactNode }) {
  return (
    <div className="notice" data-tone={tone} role={tone === 'bad' ? 'alert' : 'status'}>
      <div>{children}</div>
    </div>
  )
}
