import type { ReactNode } from 'react'
import { Form, useLocation, useNavigation } from 'react-router'
import { Badge, type Tone } from '../../design/Badge.tsx'
import { Button } from '../../design/Button.tsx'
import { Notice } from '../../design/Notice.tsx'
import { formatMoment } from '../../text/format.ts'
import { useOfficeText } from '../../text/office-text.ts'
import { useLanguage } from '../../text/use-language.ts'
import type { OrderStatus } from './order-statuses.ts'

/** Why a form was refused, read out at once. */
export function Refused({ refusal }: { refusal: { code: string } | undefined }) {
  const text = useOfficeText()
  if (!refusal) return null
  const words = text.errors[refusal.code]
  return <Notice tone="bad">{words ?? `${text.errors.other} (${refusal.code})`}</Notice>
}

/** What was done, from the address; it is announced wherever the page has led. */
export function Done() {
  const text = useOfficeText()
  const { search, key } = useLocation()
  const done = new URLSearchParams(search).get('done') ?? ''
  const words = text.done[done]
  return (
    <div role="status" className="office-done">
      {words && (
        <p className="notice" data-tone="good" key={key}>
          {words}
        </p>
      )}
    </div>
  )
}

/** A form behind a word, for what cannot be undone: opened first, then confirmed. Without scripts too. */
export function Confirm({
  label,
  question,
  action,
  fields,
  children,
}: {
  label: string
  question: string
  action: string
  fields: Readonly<Record<string, string>>
  children?: ReactNode
}) {
  const isSending = useNavigation().state === 'submitting'
  return (
    <details className="confirm">
      <summary className="button" data-look="quiet">
        {label}
      </summary>
      <Form method="post" className="panel stack">
        <Hidden {...fields} />
        <p>{question}</p>
        {children}
        <div>
          <Button look="danger" disabled={isSending}>
            {action}
          </Button>
        </div>
      </Form>
    </details>
  )
}

/** Fields that people do not see. */
export function Hidden(fields: Readonly<Record<string, string>>) {
  return Object.entries(fields).map(([name, value]) => (
    <input key={name} type="hidden" name={name} value={value} />
  ))
}

/** A point in time in words. */
export function Moment({ at }: { at: string }) {
  return (
    <time dateTime={at} className="numeric">
      {formatMoment(at, useLanguage())}
    </time>
  )
}

const orderTones: Partial<Record<OrderStatus, Tone>> = {
  pending_payment: 'warn',
  paid: 'good',
  partly_fulfilled: 'good',
  cancelled: 'bad',
}

export function OrderBadge({ status }: { status: OrderStatus }) {
  const tone = orderTones[status]
  return <Badge {...(tone && { tone })}>{useOfficeText().orderStatus[status]}</Badge>
}

/** The heading of a page, with what can be done there beside it. */
export function PageHead({ title, children }: { title: ReactNode; children?: ReactNode }) {
  return (
    <div className="office-head">
      <h1>{title}</h1>
      {children && <div className="row">{children}</div>}
    </div>
  )
}

/** The search of a list: a form that leads to the same page with what is sought. */
export function Filters({ label, children }: { label: string; children: ReactNode }) {
  const text = useOfficeText()
  return (
    <Form role="search" className="office-filters" aria-label={label}>
      {children}
      <Button look="quiet">{text.search}</Button>
    </Form>
  )
}
