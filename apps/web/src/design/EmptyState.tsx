import type { ReactNode } from 'react'
import { HallIcon } from './HallIcon.tsx'

/** What stands where a list would be, and what to do next. */
export function EmptyState({
  title,
  text,
  action,
}: {
  title: string
  text?: string
  action?: ReactNode
}) {
  return (
    <div className="empty">
      <HallIcon />
      <h2>{title}</h2>
      {text && <p className="muted">{text}</p>}
      {action}
    </div>
  )
}
