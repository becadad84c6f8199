import { Link } from 'react-router'
import { useShopText } from '../../text/shop-text.ts'
import type { ShopFrame } from './layout.tsx'
import { usePath } from './use-path.ts'

/** The bottom of every page of the shop. */
export function Footer({ stalls }: Pick<ShopFrame, 'stalls'>) {
  const { footer, name, allGoods, orders, wishlist } = useShopText()
  const path = usePath()
  return (
    <footer className="shop-footer">
      <div className="inside shop-footer-columns">
        <div>
          <p className="shop-footer-name">{name}</p>
          <p>{footer.about}</p>
        </div>
        <nav aria-label={footer.market}>
          <h2>{footer.market}</h2>
          <ul className="plain">
            <li>
              <Link to={path('/search')}>{allGoods}</Link>
            </li>
            <li>
              <Link to={path('/orders')}>{orders}</Link>
            </li>
            <li>
              <Link to={path('/wishlist')}>{wishlist}</Link>
            </li>
            {stalls.map(({ slug, name: stall }) => (
              <li key={slug}>
                <Link to={path(`/stalls/${slug}`)}>{stall}</Link>
              </li>
            ))}
          </ul>
        </nav>
        <nav aria-label={footer.staff}>
          <h2>{footer.staff}</h2>
          <ul className="plain">
            <li>
              <Link to="/office" reloadDocument>
                {footer.office}
              </Link>
            </li>
            <li>
              <Link to="/console" reloadDocument>
                {footer.console}
              </Link>
            </li>
            <li>
              <Link to="/docs" reloadDocument>
                {footer.api}
              </Link>
            </li>
          </ul>
        </nav>
      </div>
    </footer>
  )
}
