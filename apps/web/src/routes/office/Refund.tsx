import { type FormEvent, useEffect, useRef, useState } from 'react'
import { Form, useNavigation } from 'react-router'
import { Badge } from '../../design/Badge.tsx'
import { Button } from '../../design/Button.tsx'
import { Field } from '../../design/Field.tsx'
import { Money } from '../../design/Money.tsx'
import { formatMoney } from '../../text/format.ts'
import { useOfficeText } from '../../text/office-text.ts'
import { useLanguage } from '../../text/use-language.ts'
import { toAmountText } from './amount.ts'
import { Confirm, Hidden, Moment } from './bits.tsx'
import type { Order } from './order.tsx'
import { priceOf, readPieces, readRefund, toRefund } from './order-form.ts'

type Refund = Exclude<ReturnType<typeof readRefund>, { fault: string }>

/** Money back by line or by amount: typed, shown as a sum, and done only then. */
export function RefundForm({
  order,
  check,
}: {
  order: Order
  check: { refund: Refund; key: string } | undefined
}) {
  const text = useOfficeText()
  const { captured, refunded } = order.payment
  const left = { ...captured, amountMinor: captured.amountMinor - refunded.amountMinor }
  const isPaid = !['pending_payment', 'cancelled', 'refunded'].includes(order.status)
  if (!isPaid || left.amountMinor <= 0) return null
  return (
    <section className="panel stack">
      <h2>{text.refund}</h2>
      <p className="muted small">
        {text.refundable} <Money value={left} />
      </p>
      <Choose order={order} />
      {check && <Agree order={order} refund={check.refund} idempotencyKey={check.key} />}
    </section>
  )
}

function Choose({ order }: { order: Order }) {
  const text = useOfficeText()
  const { currency } = order.total
  const [total, setTotal] = useState({ amountMinor: 0, currency })
  const add = (event: FormEvent<HTMLFormElement>) => {
    const form = new FormData(event.currentTarget)
    const typed = readRefund(form, order)
    const lines = priceOf(readPieces(form, order.lines), order.lines, currency)
    setTotal('fault' in typed ? lines : typed.amount)
  }
  return (
    <Form method="post" className="stack" onInput={add} preventScrollReset>
      <Hidden intent="refund-check" />
      {order.lines
        .filter((line) => toRefund(line) > 0)
        .map((line) => (
          <Field
            key={line.variantId}
            label={text.piecesOf(line.title, line.variantTitle, toRefund(line))}
            name={`pieces-${line.variantId}`}
            type="number"
            min={0}
            max={toRefund(line)}
            defaultValue={0}
          />
        ))}
      <Field
        label={text.otherAmount(currency)}
        name="amount"
        inputMode="decimal"
        hint={text.otherAmountHint}
      />
      <Field label={text.reason} name="reason" maxLength={300} />
      <label className="office-check">
        <input type="checkbox" name="isReturned" />
        {text.isReturned}
      </label>
      <p role="status" className="office-sum">
        {text.refundSum} <Money value={total} />
      </p>
      <div>
        <Button look="quiet">{text.refundCheck}</Button>
      </div>
    </Form>
  )
}

/** The last look: what goes back, to be confirmed. It takes the focus when it comes. */
function Agree({
  order,
  refund,
  idempotencyKey,
}: {
  order: Order
  refund: Refund
  idempotencyKey: string
}) {
  const text = useOfficeText()
  const language = useLanguage()
  const isSending = useNavigation().formData?.get('intent') === 'refund'
  const question = useRef<HTMLParagraphElement>(null)
  useEffect(() => question.current?.focus(), [idempotencyKey])
  const titles = new Map(order.lines.map(({ variantId, title }) => [variantId, title]))
  const sum = formatMoney(refund.amount, language)
  const pieces = refund.lines.map(
    ({ variantId, quantity }) => [`pieces-${variantId}`, String(quantity)] as const,
  )
  return (
    <Form method="post" className="notice office-agree" data-tone="warn">
      <Hidden
        intent="refund"
        amount={toAmountText(refund.amount)}
        reason={refund.reason}
        {...(refund.isReturned && { isReturned: 'on' })}
        {...Object.fromEntries(pieces)}
      />
      <input type="hidden" name="key" value={idempotencyKey} />
      <div className="stack">
        <p ref={question} tabIndex={-1}>
          {text.refundQuestion(sum, order.email ?? text.guest)}
        </p>
        {refund.lines.length > 0 && (
          <ul>
            {refund.lines.map(({ variantId, quantity }) => (
              <li key={variantId}>
                {quantity} × {titles.get(variantId)}
              </li>
            ))}
          </ul>
        )}
        {refund.isReturned && <p>{text.goesBack}</p>}
        <div>
          <Button look="danger" disabled={isSending}>
            {text.refundNow(sum)}
          </Button>
        </div>
      </div>
    </Form>
  )
}

const tones = { requested: 'warn', pending: 'warn', succeeded: 'good', failed: 'bad' } as const

export function Refunds({ order, mayWrite }: { order: Order; mayWrite: boolean }) {
  const text = useOfficeText()
  if (order.refunds.length === 0) return null
  const byHand = order.payment.method === 'bank_transfer'
  return (
    <section className="stack">
      <h2>{text.refunds}</h2>
      {order.refunds.map((refund) => (
        <div key={refund.id} className="panel stack">
          <div className="row">
            <strong>
              <Money value={refund.amount} />
            </strong>
            <Badge tone={tones[refund.status]}>{text.refundStatus[refund.status]}</Badge>
            <Moment at={refund.at} />
          </div>
          {refund.reason && <p>{refund.reason}</p>}
          {mayWrite && byHand && refund.status === 'pending' && (
            <Confirm
              label={text.refundSent}
              question={text.refundSentQuestion}
              action={text.refundSent}
              fields={{ intent: 'sent', refundId: refund.id }}
            />
          )}
        </div>
      ))}
    </section>
  )
}
