import { type ReactNode, useEffect } from 'react'

// Long enough to read two sentences and reach a link in them.
const shownMs = 6_000

/** A message that goes by itself. It never carries what cannot be found elsewhere. */
export function Toast({ children, onDone }: { children: ReactNode; onDone: () => void }) {
  useEffect(() => {
    const timer = setTimeout(onDone, shownMs)
    return () => clearTimeout(timer)
  }, [onDone])
  return (
    <div className="toast" role="status">
      {children}
    </div>
  )
}
