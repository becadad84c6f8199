import { useSearchParams } from 'react-router'
import { ButtonLink } from './Button.tsx'

/** The way through a list with cursors: to the beginning, and on. */
export function Pagination({
  nextCursor,
  labels,
}: {
  nextCursor: string | null
  labels: { pages: string; first: string; next: string }
}) {
  const [search] = useSearchParams()
  const isFirst = !search.has('cursor')
  if (isFirst && nextCursor === null) return null
  const to = (cursor: string | null) => {
    const query = new URLSearchParams(search)
    if (cursor === null) query.delete('cursor')
    else query.set('cursor', cursor)
    return `?${query}`
  }
  return (
    <nav className="pages" aria-label={labels.pages}>
      {!isFirst && (
        <ButtonLink look="quiet" to={to(null)}>
          {labels.first}
        </ButtonLink>
      )}
      {nextCursor !== null && (
        <ButtonLink look="quiet" rel="next" to={to(nextCursor)}>
          {labels.next}
        </ButtonLink>
      )}
    </nav>
  )
}
