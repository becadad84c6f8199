import { Form, Link, NavLink, useLocation, useSearchParams } from 'react-router'
import { HallIcon } from '../../design/HallIcon.tsx'
import { Menu } from '../../design/Menu.tsx'
import { pathInLanguage } from '../../text/language.ts'
import { useShopText } from '../../text/shop-text.ts'
import { useLanguage } from '../../text/use-language.ts'
import type { ShopFrame } from './layout.tsx'
import { usePath } from './use-path.ts'

/** The top of every page of the shop: name, search, language, account, basket, stalls. */
export function Header({ stalls, cartCount, person }: ShopFrame) {
  const text = useShopText()
  const path = usePath()
  const [search] = useSearchParams()
  return (
    <header className="shop-header">
      <div className="inside shop-bar">
        <Link className="shop-name" to={path('/')}>
          <HallIcon />
          <span>{text.name}</span>
        </Link>
        <Form className="shop-search" role="search" action={path('/search')}>
          <label className="visually-hidden" htmlFor="search">
            {text.search}
          </label>
          <input
            id="search"
            name="q"
            type="search"
            maxLength={100}
            placeholder={text.search}
            defaultValue={search.get('q') ?? ''}
            key={search.get('q')}
          />
          <button type="submit">{text.searchButton}</button>
        </Form>
        <div className="shop-tools">
          <OtherLanguage />
          {person ? (
            <Account name={person.name} />
          ) : (
            <Link className="shop-tool" to={path('/sign-in')}>
              {text.signIn}
            </Link>
          )}
          <Link className="shop-tool shop-cart" to={path('/cart')}>
            {text.cart} <CartCount count={cartCount} />
          </Link>
        </div>
      </div>
      {stalls.length > 0 && (
        <nav className="shop-stalls" aria-label={text.menu}>
          <ul className="inside shop-stalls-list">
            <li>
              <NavLink to={path('/search')} end>
                {text.allGoods}
              </NavLink>
            </li>
            {stalls.map(({ slug, name }) => (
              <li key={slug}>
                <NavLink to={path(`/stalls/${slug}`)}>{name}</NavLink>
              </li>
            ))}
          </ul>
        </nav>
      )}
      <div className="awning" aria-hidden="true" />
    </header>
  )
}

function CartCount({ count }: { count: number }) {
  const { cartCount } = useShopText()
  return (
    <span className="shop-count" data-empty={count === 0}>
      <span aria-hidden="true">{count}</span>
      <span className="visually-hidden">({cartCount(count)})</span>
    </span>
  )
}

function OtherLanguage() {
  const { otherLanguage } = useShopText()
  const other = useLanguage() === 'en' ? 'fr' : 'en'
  const { pathname, search } = useLocation()
  return (
    // A document of its own: a page knows the words of its language only.
    <Link
      className="shop-tool"
      reloadDocument
      lang={other}
      hrefLang={other}
      to={`${pathInLanguage(pathname, other)}${search}`}
    >
      <span className="language-name">{otherLanguage}</span>
      <abbr className="language-code" title={otherLanguage}>
        {other.toUpperCase()}
      </abbr>
    </Link>
  )
}

function Account({ name }: { name: string }) {
  const text = useShopText()
  const path = usePath()
  return (
    <Menu
      label={
        <span className="shop-tool">
          <span className="shop-person">{name || text.yourAccount}</span>
        </span>
      }
    >
      <div className="stack menu-links">
        <Link to={path('/account')}>{text.yourAccount}</Link>
        <Link to={path('/orders')}>{text.orders}</Link>
        <Link to={path('/wishlist')}>{text.wishlist}</Link>
        <Form method="post" action={path('/sign-out')} reloadDocument>
          <button className="button" data-look="quiet" type="submit">
            {text.signOut}
          </button>
        </Form>
      </div>
    </Menu>
  )
}
