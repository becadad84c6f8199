import { Link, type LoaderFunctionArgs, type MetaFunction, useLoaderData } from 'react-router'
import { ButtonLink } from '../../design/Button.tsx'
import { EmptyState } from '../../design/EmptyState.tsx'
import { Notice } from '../../design/Notice.tsx'
import { Picture } from '../../design/Picture.tsx'
import { attempt, pageOf } from '../../server/page.server.ts'
import { listStalls } from '../../server/stalls.server.ts'
import { shopText, useShopText } from '../../text/shop-text.ts'
import hallUrl from './hall.svg'
import { metaOf } from './meta.ts'
import { ProductGrid } from './ProductGrid.tsx'
import { usePath } from './use-path.ts'

export async function loader(args: LoaderFunctionArgs) {
  const page = pageOf(args)
  const [stalls, newest] = await Promise.all([
    listStalls(page),
    attempt(page.call('listProducts', { query: { limit: 8, sort: 'newest' } })),
  ])
  const { language, url } = page
  return {
    language,
    url: `${page.visit.publicUrl}${url.pathname}`,
    stalls,
    newest: newest.data?.data.items ?? [],
    isStale: newest.data?.isStale ?? false,
    isAway: newest.problem !== undefined,
  }
}

export const meta: MetaFunction<typeof loader> = ({ loaderData }) => {
  if (!loaderData) return []
  const { name, tagline, hero } = shopText(loaderData.language)
  return metaOf({ ...loaderData, title: `${name} · ${tagline}`, description: hero.text })
}

export default function Home() {
  const { stalls, newest, isStale, isAway } = useLoaderData<typeof loader>()
  const text = useShopText()
  const path = usePath()
  return (
    <>
      <section className="hero">
        <div className="inside hero-inside">
          <div className="hero-words">
            <p className="hero-tagline">{text.tagline}</p>
            <h1>{text.hero.title}</h1>
            <p className="hero-text">{text.hero.text}</p>
            <ButtonLink size="large" to={path('/search')}>
              {text.hero.action}
            </ButtonLink>
          </div>
          <img
            className="hero-hall"
            src={hallUrl}
            alt=""
            width={640}
            height={400}
            fetchPriority="high"
          />
        </div>
      </section>
      <div className="inside shop-sections">
        {isStale && <Notice tone="warn">{text.stale}</Notice>}
        {isAway && <Notice tone="warn">{text.problem.away.products}</Notice>}
        {stalls.length > 0 && (
          <section aria-labelledby="stalls">
            <h2 id="stalls">{text.stalls}</h2>
            <ul className="stall-grid">
              {stalls.map((stall) => (
                <li key={stall.slug}>
                  <Link className="stall-card" to={path(`/stalls/${stall.slug}`)}>
                    <Picture of={{ name: stall.picture }} size={200} />
                    <span>{stall.name}</span>
                  </Link>
                </li>
              ))}
            </ul>
          </section>
        )}
        {newest.length > 0 && (
          <section aria-labelledby="newest">
            <div className="section-head">
              <h2 id="newest">{text.newest}</h2>
              <Link to={path('/search')}>{text.seeAll}</Link>
            </div>
            <ProductGrid products={newest} />
          </section>
        )}
        {newest.length === 0 && !isAway && (
          <EmptyState title={text.emptyMarket} text={text.emptyMarketText} />
        )}
      </div>
    </>
  )
}
