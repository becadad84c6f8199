import {
  type ActionFunctionArgs,
  data,
  Form,
  type LoaderFunctionArgs,
  redirect,
  useActionData,
  useLoaderData,
  useSearchParams,
} from 'react-router'
import { Breadcrumbs } from '../../design/Breadcrumbs.tsx'
import { Button, ButtonLink } from '../../design/Button.tsx'
import { Notice } from '../../design/Notice.tsx'
import { countriesIn } from '../../server/address.server.ts'
import { refusalOf, textOf } from '../../server/form.server.ts'
import {
  buyAgain,
  isHeld,
  numberOfOrder,
  orderIdOf,
  readOrder,
} from '../../server/orders.server.ts'
import { pageDataOf, pageOf } from '../../server/page.server.ts'
import { formatDate, formatMoney } from '../../text/format.ts'
import { useShopText } from '../../text/shop-text.ts'
import { useLanguage } from '../../text/use-language.ts'
import { AddressText } from './AddressText.tsx'
import './buying.css'
import { GoodsList } from './GoodsList.tsx'
import { personalMeta } from './meta.ts'
import { OrderCancellation } from './OrderCancellation.tsx'
import { Fulfilments, OrderPayment, OrderStatus, Timeline } from './OrderParts.tsx'
import { TotalsList } from './TotalsList.tsx'
import { usePath } from './use-path.ts'

export async function loader(args: LoaderFunctionArgs) {
  const page = pageOf(args)
  const orderId = orderIdOf(args.params.orderId)
  const { order, timeline } = await readOrder(page, orderId)
  return {
    ...pageDataOf(page),
    ...{ order, timeline },
    number: numberOfOrder(orderId),
    isGuest: isHeld(page, orderId),
    countries: countriesIn(page.language),
  }
}

export const meta = personalMeta<Awaited<ReturnType<typeof loader>>>(({ order }, { number }) =>
  order.title(number),
)

/** `cancel`, or `again`: what was bought into the basket once more. */
export async function action(args: ActionFunctionArgs) {
  const page = pageOf(args)
  const form = await args.request.formData()
  const orderId = orderIdOf(args.params.orderId)
  const params = { orderId }
  try {
    if (textOf(form, 'intent') === 'again') {
      const missing = await buyAgain(page, (await page.call('getOrder', { params })).data)
      if (missing.length === 0) return redirect(page.path('/cart'))
      return data({ code: '', missing }, { status: 409 })
    }
    const reason = textOf(form, 'reason').slice(0, 300)
    await page.call('cancelOrder', { params, body: reason === '' ? {} : { reason } })
  } catch (error) {
    const { code } = refusalOf(error)
    return data({ code, missing: [] }, { status: code === 'unavailable' ? 503 : 409 })
  }
  return redirect(page.path(`/orders/${orderId}?cancelled=1`))
}

export default function OrderPage() {
  const { order, timeline, number, isGuest, countries } = useLoaderData<typeof loader>()
  const { order: text, ...words } = useShopText()
  const path = usePath()
  const isCancellable = order.status === 'pending_payment' || order.status === 'paid'
  return (
    <div className="inside stack order">
      <Breadcrumbs
        label={words.you}
        trail={[
          { to: path('/'), label: words.home },
          { to: path('/orders'), label: words.orders },
          { label: number },
        ]}
      />
      <Head />
      <div className="cart">
        <div className="stack">
          <section className="panel stack" aria-labelledby="goods">
            <h2 id="goods">{words.checkoutPage.goods}</h2>
            <GoodsList lines={order.lines} />
            <TotalsList totals={order.totals} />
          </section>
          <section className="panel stack" aria-labelledby="history">
            <h2 id="history">{text.history}</h2>
            {timeline ? (
              <Timeline entries={timeline} />
            ) : (
              <Notice tone="warn">{text.historyAway}</Notice>
            )}
          </section>
        </div>
        <aside className="stack">
          <section className="panel stack" aria-labelledby="payment">
            <h2 id="payment">{text.payment}</h2>
            <OrderPayment order={order} />
          </section>
          {order.fulfilments.length > 0 && (
            <section className="panel stack" aria-labelledby="sent">
              <h2 id="sent">{text.fulfilments}</h2>
              <Fulfilments order={order} />
            </section>
          )}
          <section className="panel stack" aria-labelledby="to">
            <h2 id="to">{text.address}</h2>
            <AddressText address={order.shippingAddress} countries={countries} />
          </section>
          <Form method="post" className="no-print">
            <Button look="quiet" name="intent" value="again">
              {text.again}
            </Button>
          </Form>
          {isCancellable && <OrderCancellation orderId={order.id} />}
          <p className="muted small no-print">{isGuest ? text.keepLink : text.print}</p>
        </aside>
      </div>
    </div>
  )
}

/** What the order is called, how it stands, and what its shopper may have to do now. */
function Head() {
  const { order, number } = useLoaderData<typeof loader>()
  const refused = useActionData<typeof action>()
  const [search] = useSearchParams()
  const { order: text, payment, errors } = useShopText()
  const language = useLanguage()
  const { status, total } = order
  const { redirectUrl, method } = order.payment
  const isWaiting = status === 'pending_payment'
  return (
    <>
      <div className="section-head">
        <h1>{text.title(number)}</h1>
        <OrderStatus status={status} />
      </div>
      <p className="muted">{text.placedOn(formatDate(order.placedAt, language))}</p>
      {search.has('thanks') && status === 'paid' && <Notice tone="good">{text.thanks}</Notice>}
      {search.has('placed') && isWaiting && <Notice tone="good">{text.placed}</Notice>}
      {search.has('cancelled') && status === 'cancelled' && (
        <Notice tone="good">{text.cancelled}</Notice>
      )}
      {refused && (
        <Notice tone="bad">
          {refused.missing.length > 0
            ? text.someMissing(refused.missing.join(', '))
            : (errors[refused.code] ?? errors.other)}
        </Notice>
      )}
      {isWaiting && method === 'bank_transfer' && (
        <Notice>{text.transfer(formatMoney(total, language), number)}</Notice>
      )}
      {isWaiting && method === 'online' && redirectUrl !== null && (
        <p>
          <ButtonLink size="large" reloadDocument to={redirectUrl}>
            {payment.payNow(formatMoney(total, language))}
          </ButtonLink>
        </p>
      )}
    </>
  )
}
