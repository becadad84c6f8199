import type { Order, TimelineEntry } from '@halles/contracts/gen/http/orders'
import { Badge, type Tone } from '../../design/Badge.tsx'
import { Money } from '../../design/Money.tsx'
import { formatDate, formatMoment, formatMoney } from '../../text/format.ts'
import { useShopText } from '../../text/shop-text.ts'
import { useLanguage } from '../../text/use-language.ts'

const tones: Partial<Record<Order['status'], Tone>> = {
  pending_payment: 'warn',
  paid: 'good',
  delivered: 'good',
  cancelled: 'bad',
}

/** Where an order stands, in a word. */
export function OrderStatus({ status }: Pick<Order, 'status'>) {
  const { order: text } = useShopText()
  return <Badge {...(tones[status] && { tone: tones[status] })}>{text.statuses[status]}</Badge>
}

/** What happened to an order, oldest first. */
export function Timeline({ entries }: { entries: readonly TimelineEntry[] }) {
  const { order: text } = useShopText()
  const language = useLanguage()
  return (
    <ol className="timeline">
      {entries.map(({ at, what, actor }) => (
        <li key={`${at} ${what}`}>
          <strong>{text.events[what] ?? what}</strong>
          <span className="muted small">
            <time dateTime={at}>{formatMoment(at, language)} UTC</time>
            {' · '}
            {text.actors[actor.kind]}
          </span>
        </li>
      ))}
    </ol>
  )
}

/** How it was paid, and what went back. */
export function OrderPayment({ order }: { order: Order }) {
  const { order: text } = useShopText()
  const { method, status, captured, refunded } = order.payment
  return (
    <div className="stack">
      <p>
        {text.method[method]}: {text.paymentStatuses[status] ?? status}
      </p>
      {captured.amountMinor > 0 && (
        <dl className="totals">
          <dt>{text.captured}</dt>
          <dd>
            <Money value={captured} />
          </dd>
          {refunded.amountMinor > 0 && (
            <>
              <dt>{text.refunded}</dt>
              <dd>
                <Money value={refunded} />
              </dd>
            </>
          )}
        </dl>
      )}
      {order.refunds.length > 0 && <Refunds refunds={order.refunds} />}
    </div>
  )
}

function Refunds({ refunds }: Pick<Order, 'refunds'>) {
  const { order: text } = useShopText()
  const language = useLanguage()
  return (
    <section>
      <h3>{text.refunds}</h3>
      <ul className="plain">
        {refunds.map(({ id, at, amount, status, reason }) => (
          <li key={id}>
            {formatDate(at, language)}: {formatMoney(amount, language)},{' '}
            {text.refundStatuses[status]}
            {reason && <span className="muted small block">{reason}</span>}
          </li>
        ))}
      </ul>
    </section>
  )
}

/** What left the house, and when. */
export function Fulfilments({ order }: { order: Order }) {
  const { order: text } = useShopText()
  const language = useLanguage()
  const titles = new Map(order.lines.map(({ variantId, title }) => [variantId, title]))
  return (
    <ul className="plain stack">
      {order.fulfilments.map(({ id, at, deliveredAt, carrier, trackingNumber, lines }) => (
        <li key={id}>
          <strong>
            {deliveredAt
              ? text.arrivedOn(formatDate(deliveredAt, language))
              : text.sentOn(formatDate(at, language))}
          </strong>
          <span className="block">
            {lines
              .map(({ variantId, quantity }) => `${text.pieces(quantity)} ${titles.get(variantId)}`)
              .join(', ')}
          </span>
          {(carrier || trackingNumber) && (
            <span className="muted small block">
              {text.tracking(carrier ?? '', trackingNumber ?? '')}
            </span>
          )}
        </li>
      ))}
    </ul>
  )
}
