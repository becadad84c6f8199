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
  const { title, body, canRetry, part } = describe(error, words)
  const works = part === undefined ? [] : placesWithout(part)
  return (
    <main id="content" className="inside">
      <title>{`${title} · ${text.name}`}</title>
      <meta name="robots" content="noindex" />
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
        {works.length > 0 && (
          <nav aria-labelledby="works" className="works">
            <h2 id="works">{text.works.title}</h2>
            <ul className="plain row">
              {works.map((place) => (
                <li key={place}>
                  <Link to={localPath(language, addresses[place])}>{text.works[place]}</Link>
                </li>
              ))}
            </ul>
          </nav>
        )}
      </div>
    </main>
  )
}

const addresses = {
  home: '/',
  search: '/search',
  cart: '/cart',
  orders: '/orders',
  wishlist: '/wishlist',
} as const
type Place = keyof typeof addresses

const owners: Readonly<Record<Place, string>> = {
  home: 'products',
  search: 'products',
  cart: 'carts',
  orders: 'orders',
  wishlist: 'wishlists',
}

/** Where a visitor can go while a part is away. */
function placesWithout(part: string): Place[] {
  return (Object.keys(addresses) as Place[]).filter((place) => owners[place] !== part)
}

type Words = ReturnType<typeof useShopText>['problem']

function describe(
  error: unknown,
  words: Words,
): { title: string; body: string; canRetry: boolean; part?: string | undefined } {
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
    return { title: words.awayTitle, body, canRetry: true, part: problem.part }
  }
  return { title: words.otherTitle, body: words.otherText, canRetry: true }
}
