import type { ReactNode } from 'react'

/** Something that unfolds, without JavaScript too; its content are links and forms. */
export function Menu({ label, children }: { label: ReactNode; children: ReactNode }) {
  return (
    <details className="menu" name="menu">
      <summary>{label}</summary>
      <div>{children}</div>
    </details>
  )
}
