import {
  type HeadersFunction,
  type LoaderFunctionArgs,
  Outlet,
  useLoaderData,
  useRouteLoaderData,
} from 'react-router'
import { Notice } from '../../design/Notice.tsx'
import { ProblemPage } from '../../design/ProblemPage.tsx'
import { pageOf } from '../../server/page.server.ts'
import { listStalls } from '../../server/stalls.server.ts'
import { useShopText } from '../../text/shop-text.ts'
import { useLanguage } from '../../text/use-language.ts'
import { Footer } from './Footer.tsx'
import { Header } from './Header.tsx'
import './shop.css'

export async function loader(args: LoaderFunctionArgs) {
  const page = pageOf(args)
  const { session, isSignedIn, isSessionAway } = page.visit
  return {
    stalls: await listStalls(page),
    cartCount: session?.cartCount ?? 0,
    person: isSignedIn ? { name: session?.secrets.name ?? '' } : null,
    isSessionAway,
  }
}

/** When to come back, for whom a part that is away is no page. */
export const headers: HeadersFunction = ({ errorHeaders, actionHeaders, loaderHeaders }) => {
  const name = 'retry-after'
  const value = [errorHeaders, actionHeaders, loaderHeaders]
    .map((each) => each?.get(name))
    .find(Boolean)
  return value ? { [name]: value } : {}
}

export type ShopFrame = Awaited<ReturnType<typeof loader>>

export default function ShopLayout() {
  const frame = useLoaderData<typeof loader>()
  const text = useShopText()
  return (
    <>
      <a className="skip" href="#content">
        {text.skip}
      </a>
      <Header {...frame} />
      <main id="content" className="shop-main">
        {frame.isSessionAway && (
          <div className="inside shop-notice">
            <Notice tone="warn">{text.sessionAway}</Notice>
          </div>
        )}
        <Outlet />
      </main>
      <Footer stalls={frame.stalls} />
    </>
  )
}

const empty: ShopFrame = { stalls: [], cartCount: 0, person: null, isSessionAway: false }

export function ErrorBoundary({ error }: { error: unknown }) {
  // Nothing is there when the layout's own loader is what failed.
  const frame = useRouteLoaderData<typeof loader>(`shop/${useLanguage()}`) ?? empty
  return (
    <>
      <Header {...frame} />
      <ProblemPage error={error} />
      <Footer stalls={frame.stalls} />
    </>
  )
}
