import type { ReactNode } from 'react'
import { HallIcon } from './HallIcon.tsx'

/** What stands where a list would be, and what to do next. */
export function EmptyState({
  title,
  text,
  action,
  level: Heading = 'h2',
}: {
  title: string
  text?: string
  action?: ReactNode
  /** `h1` where nothing else is on the page. */
  level?: 'h1' | 'h2'
}) {
  return (
    <div className="empty">
      <HallIcon />
      <Heading>{title}</Heading>
      {text && <p className="muted">{text}</p>}
      {action}
    </div>
  )
}
