import { type LoaderFunctionArgs, redirect, useLoaderData } from 'react-router'
import { ButtonLink } from '../../design/Button.tsx'
import { Notice } from '../../design/Notice.tsx'
import { orderIdOf } from '../../server/orders.server.ts'
import { pageDataOf, pageOf } from '../../server/page.server.ts'
import { inPreferredLanguage } from '../../server/way-back.server.ts'
import { formatMoney } from '../../text/format.ts'
import { useShopText } from '../../text/shop-text.ts'
import { useLanguage } from '../../text/use-language.ts'
import './buying.css'
import { GoodsList } from './GoodsList.tsx'
import { personalMeta } from './meta.ts'
import { OrderCancellation } from './OrderCancellation.tsx'
import { Steps } from './Steps.tsx'
import { TotalsList } from './TotalsList.tsx'
import { usePath } from './use-path.ts'

export async function loader(args: LoaderFunctionArgs) {
  const page = pageOf(args)
  inPreferredLanguage(page, args.request.headers)
  const orderId = orderIdOf(page.url.searchParams.get('order'))
  const { data: order } = await page.call('getOrder', { params: { orderId } })
  if (order.status !== 'pending_payment') throw redirect(page.path(`/orders/${orderId}`))
  return { ...pageDataOf(page), order }
}

export const meta = personalMeta<Awaited<ReturnType<typeof loader>>>(
  ({ payment }) => payment.cancelledTitle,
)

export default function Cancelled() {
  const { order } = useLoaderData<typeof loader>()
  const { payment: text } = useShopText()
  const language = useLanguage()
  const path = usePath()
  const { redirectUrl } = order.payment
  return (
    <div className="inside narrow stack">
      <Steps at="pay" />
      <h1>{text.cancelledTitle}</h1>
      <Notice tone="warn">{text.cancelledText}</Notice>
      <div className="panel stack">
        <GoodsList lines={order.lines} />
        <TotalsList totals={order.totals} />
      </div>
      <div className="row">
        {redirectUrl !== null && (
          <ButtonLink size="large" reloadDocument to={redirectUrl}>
            {text.payNow(formatMoney(order.total, language))}
          </ButtonLink>
        )}
        <ButtonLink look="plain" to={path(`/orders/${order.id}`)}>
          {text.toOrder}
        </ButtonLink>
      </div>
      <OrderCancellation orderId={order.id} />
    </div>
  )
}
