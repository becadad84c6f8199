import { Link, type LoaderFunctionArgs, useLoaderData } from 'react-router'
import { ButtonLink } from '../../design/Button.tsx'
import { EmptyState } from '../../design/EmptyState.tsx'
import { Money } from '../../design/Money.tsx'
import { Pagination } from '../../design/Pagination.tsx'
import { type ListedOrder, numberOfOrder, readOrders } from '../../server/orders.server.ts'
import { pageDataOf, pageOf } from '../../server/page.server.ts'
import { formatDate } from '../../text/format.ts'
import { useShopText } from '../../text/shop-text.ts'
import { useLanguage } from '../../text/use-language.ts'
import './buying.css'
import { personalMeta } from './meta.ts'
import { OrderStatus } from './OrderParts.tsx'
import { usePath } from './use-path.ts'

export async function loader(args: LoaderFunctionArgs) {
  const page = pageOf(args)
  const { items, here, ...rest } = await readOrders(page)
  const named = (order: ListedOrder) => ({ ...order, number: numberOfOrder(order.id) })
  return { ...pageDataOf(page), ...rest, items: items.map(named), here: here.map(named) }
}

export const meta = personalMeta<Awaited<ReturnType<typeof loader>>>(({ orders }) => orders)

export default function Orders() {
  const { isSignedIn, items, here, nextCursor } = useLoaderData<typeof loader>()
  const { order: text, ...words } = useShopText()
  const path = usePath()
  const isEmpty = items.length + here.length === 0
  return (
    <div className="inside stack shop-page">
      <h1>{words.orders}</h1>
      {isEmpty && (
        <EmptyState
          title={text.none}
          text={text.noneText}
          action={<ButtonLink to={path('/search')}>{words.goShopping}</ButtonLink>}
        />
      )}
      <OrderList orders={items} />
      {here.length > 0 && isSignedIn && <p className="muted">{text.here}</p>}
      <OrderList orders={here} />
      {isSignedIn ? (
        <Pagination
          nextCursor={nextCursor}
          labels={{ pages: words.pages, first: text.back, next: text.more }}
        />
      ) : (
        <p className="muted">
          {text.noneGuest}{' '}
          <Link to={`${path('/sign-in')}?next=${path('/orders')}`}>{words.signIn}</Link>
        </p>
      )}
    </div>
  )
}

function OrderList({ orders }: { orders: readonly (ListedOrder & { number: string })[] }) {
  const { order: text } = useShopText()
  const language = useLanguage()
  const path = usePath()
  if (orders.length === 0) return null
  return (
    <ul className="order-list">
      {orders.map(({ id, number, status, total, lineCount, placedAt }) => (
        <li key={id} className="panel order-item">
          <div>
            <h2>
              <Link to={path(`/orders/${id}`)}>{text.title(number)}</Link>
            </h2>
            <p className="muted small">
              <time dateTime={placedAt}>{formatDate(placedAt, language)}</time>
              {' · '}
              {text.lines(lineCount)}
            </p>
          </div>
          <OrderStatus status={status} />
          <strong>
            <Money value={total} />
          </strong>
        </li>
      ))}
    </ul>
  )
}
