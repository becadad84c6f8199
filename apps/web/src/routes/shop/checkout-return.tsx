import { useEffect, useState } from 'react'
import { type LoaderFunctionArgs, redirect, useLoaderData, useRevalidator } from 'react-router'
import { ButtonLink } from '../../design/Button.tsx'
import { HallIcon } from '../../design/HallIcon.tsx'
import { Notice } from '../../design/Notice.tsx'
import { useHydrated } from '../../design/use-hydrated.ts'
import { orderIdOf } from '../../server/orders.server.ts'
import { attempt, pageDataOf, pageOf } from '../../server/page.server.ts'
import { inPreferredLanguage } from '../../server/way-back.server.ts'
import type { PageHandle } from '../../start.tsx'
import { useShopText } from '../../text/shop-text.ts'
import './buying.css'
import { personalMeta } from './meta.ts'
import { Steps } from './Steps.tsx'
import { usePath } from './use-path.ts'

// It looks again by itself, so it does not wait for its visitor.
export const handle: PageHandle = { startsNow: true }

// About half a minute of looks; the provider's notice usually is there before the first.
const maxLooks = 10
const lookEverySeconds = 3

export async function loader(args: LoaderFunctionArgs) {
  const page = pageOf(args)
  inPreferredLanguage(page, args.request.headers)
  const { searchParams } = page.url
  const orderId = orderIdOf(searchParams.get('order'))
  const params = { orderId }
  // The provider is asked as well: its notice may come late, or never.
  const checked = await attempt(page.call('checkPayment', { params }))
  const order = checked.data?.data ?? (await page.call('getOrder', { params })).data
  if (order.status !== 'pending_payment') {
    const isPaid = order.status === 'paid'
    throw redirect(page.path(`/orders/${orderId}${isPaid ? '?thanks=1' : ''}`))
  }
  const look = Number(searchParams.get('look')) || 0
  const next = new URLSearchParams(searchParams)
  next.set('look', String(look + 1))
  return {
    ...pageDataOf(page),
    orderId,
    isProcessing: order.payment.status === 'processing',
    isAway: checked.problem !== undefined,
    isLong: look >= maxLooks,
    next: `${page.path('/checkout/return')}?${next}`,
  }
}

export const meta = personalMeta<Awaited<ReturnType<typeof loader>>>(
  ({ payment }) => payment.waitingTitle,
)

export default function Return() {
  const { orderId, isProcessing, isAway, next, ...loaded } = useLoaderData<typeof loader>()
  const { payment: text } = useShopText()
  const path = usePath()
  const isHydrated = useHydrated()
  const looks = useLooks(!isProcessing)
  const isLong = loaded.isLong || looks >= maxLooks
  const isWaiting = !isProcessing && !isLong
  return (
    <div className="inside narrow stack">
      <Steps at="pay" />
      {isWaiting && !isHydrated && (
        <noscript>
          <meta httpEquiv="refresh" content={`${lookEverySeconds};url=${next}`} />
        </noscript>
      )}
      <div className="empty">
        <HallIcon />
        <h1>{text.waitingTitle}</h1>
        {isWaiting && <progress className="waiting" aria-label={text.waitingTitle} />}
        <div aria-live="polite" className="stack">
          <p>{isProcessing ? text.processingText : isLong ? text.waitingLong : text.waitingText}</p>
          {isAway && <Notice tone="warn">{text.away}</Notice>}
        </div>
        <div className="row">
          <ButtonLink look="quiet" reloadDocument to={next}>
            {text.lookAgain}
          </ButtonLink>
          <ButtonLink look="plain" to={path(`/orders/${orderId}`)}>
            {text.toOrder}
          </ButtonLink>
        </div>
      </div>
    </div>
  )
}

/** Loads the page's data again and again, each time a little later; returns how often it did. */
function useLooks(isWaiting: boolean): number {
  const { state, revalidate } = useRevalidator()
  const [looks, setLooks] = useState(0)
  useEffect(() => {
    if (!isWaiting || state !== 'idle' || looks >= maxLooks) return
    const timer = setTimeout(
      () => {
        setLooks(looks + 1)
        void revalidate()
      },
      Math.min(600 * 1.4 ** looks, lookEverySeconds * 2_000),
    )
    return () => clearTimeout(timer)
  }, [isWaiting, state, looks, revalidate])
  return looks
}
