import { isRouteErrorResponse, useLocation } from 'react-router'
import type { PageProblem } from '../problem.ts'
import { ButtonLink } from './Button.tsx'
import { HallIcon } from './HallIcon.tsx'

export type StaffProblemWords = Readonly<
  Record<
    | 'forbidden'
    | 'forbiddenText'
    | 'notFound'
    | 'notFoundText'
    | 'away'
    | 'other'
    | 'otherText'
    | 'again'
    | 'home'
    | 'somePart',
    string
  >
> & { awayText: (part: string) => string; parts: Readonly<Record<string, string>> }

/** Stands in the place of a page that failed, between a navigation that leads on. */
export function StaffProblem({
  error,
  words,
  home,
}: {
  error: unknown
  words: StaffProblemWords
  home: string
}) {
  const { pathname, search } = useLocation()
  const { title, text, canRetry } = describe(error, words)
  return (
    <div className="empty">
      <HallIcon />
      <h1>{title}</h1>
      <p className="muted">{text}</p>
      <div className="row">
        {canRetry && (
          <ButtonLink reloadDocument to={`${pathname}${search}`}>
            {words.again}
          </ButtonLink>
        )}
        <ButtonLink look="quiet" to={home}>
          {words.home}
        </ButtonLink>
      </div>
    </div>
  )
}

function describe(error: unknown, words: StaffProblemWords) {
  const status = isRouteErrorResponse(error) ? error.status : 500
  const problem = (isRouteErrorResponse(error) ? error.data : {}) as Partial<PageProblem>
  if (status === 403) return { title: words.forbidden, text: words.forbiddenText, canRetry: false }
  if (status === 404) return { title: words.notFound, text: words.notFoundText, canRetry: false }
  if (status === 429 || status >= 502) {
    const part = words.parts[problem?.part ?? ''] ?? words.somePart
    return { title: words.away, text: words.awayText(part), canRetry: true }
  }
  return { title: words.other, text: words.otherText, canRetry: true }
}
