import { isRouteErrorResponse, Outlet, useLocation } from 'react-router'
import { ButtonLink } from '../../design/Button.tsx'
import { HallIcon } from '../../design/HallIcon.tsx'
import type { PageProblem } from '../../problem.ts'
import { useOfficeText } from '../../text/office-text.ts'

/** Stands between the navigation and the pages, so that a page that fails leaves the way on. */
export default function Boundary() {
  return <Outlet />
}

export function ErrorBoundary({ error }: { error: unknown }) {
  const { problem: words } = useOfficeText()
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
        <ButtonLink look="quiet" to="/office">
          {words.home}
        </ButtonLink>
      </div>
    </div>
  )
}

type Words = ReturnType<typeof useOfficeText>['problem']

function describe(error: unknown, words: Words) {
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
