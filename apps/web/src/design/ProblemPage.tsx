import { isRouteErrorResponse, Link, useLocation } from 'react-router'
import type { PageProblem } from '../problem.ts'
import { localPath } from '../text/language.ts'
import { useShopText } from '../text/shop-text.ts'
import { useLanguage } from '../text/use-language.ts'
import { ButtonLink } from './Button.tsx'
import { HallIcon } from './HallIcon.tsx'

/** The page for an address that does not exist, a part that is away, or an error of ours. */
export function ProblemPage({ error }: { error: unknown }) {
  const { problem: words, ...text } = useShopText()
  const language = useLanguage()
  const { pathname, search } = useLocation()
  const { title, body, canRetry } = describe(error, words)
  return (
    <main id="content" className="inside">
      <div className="empty">
        <HallIcon />
        <h1>{title}</h1>
        <p className="muted">{body}</p>
        <div className="row">
          {canRetry && (
            <ButtonLink reloadDocument to={`${pathname}${search}`}>
              {words.again}
            </ButtonLink>
          )}
          <Link to={localPath(language, '/')}>{text.goShopping}</Link>
        </div>
      </div>
    </main>
  )
}

type Words = ReturnType<typeof useShopText>['problem']

function describe(error: unknown, words: Words) {
  if (!isRouteErrorResponse(error)) {
    return { title: words.otherTitle, body: words.otherText, canRetry: true }
  }
  const problem = (error.data ?? {}) as Partial<PageProblem>
  if (error.status === 404) {
    return { title: words.notFoundTitle, body: words.notFoundText, canRetry: false }
  }
  if (error.status === 403) {
    return { title: words.forbiddenTitle, body: words.forbiddenText, canRetry: false }
  }
  if (error.status >= 502 || error.status === 429) {
    const body = words.away[problem.part ?? ''] ?? words.awayText
    return { title: words.awayTitle, body, canRetry: true }
  }
  return { title: words.otherTitle, body: words.otherText, canRetry: true }
}
