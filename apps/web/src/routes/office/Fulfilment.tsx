import { Form, useNavigation } from 'react-router'
import { Button } from '../../design/Button.tsx'
import { Field } from '../../design/Field.tsx'
import { useOfficeText } from '../../text/office-text.ts'
import { Hidden, Moment } from './bits.tsx'
import type { Order } from './order.tsx'
import { toSend } from './order-form.ts'

/** What leaves the house: everything that is left, unless less is typed. */
export function Fulfil({ order, idempotencyKey }: { order: Order; idempotencyKey: string }) {
  const text = useOfficeText()
  const isSending = useNavigation().state === 'submitting'
  const lines = order.lines.filter((line) => toSend(line) > 0)
  const isOpen = order.status === 'paid' || order.status === 'partly_fulfilled'
  if (!isOpen || lines.length === 0) return null
  return (
    <section className="panel stack">
      <h2>{text.fulfil}</h2>
      <Form method="post" className="stack">
        <Hidden intent="fulfil" />
        <input type="hidden" name="key" value={idempotencyKey} />
        {lines.map((line) => (
          <Field
            key={line.variantId}
            label={text.piecesOf(line.title, line.variantTitle, toSend(line))}
            name={`pieces-${line.variantId}`}
            type="number"
            min={0}
            max={toSend(line)}
            defaultValue={toSend(line)}
          />
        ))}
        <div className="office-form">
          <Field label={text.carrier} name="carrier" maxLength={100} />
          <Field label={text.trackingNumber} name="trackingNumber" maxLength={100} />
        </div>
        <div>
          <Button disabled={isSending}>{text.fulfilNow}</Button>
        </div>
      </Form>
    </section>
  )
}

export function Fulfilments({ order, mayWrite }: { order: Order; mayWrite: boolean }) {
  const text = useOfficeText()
  if (order.fulfilments.length === 0) return null
  const titles = new Map(order.lines.map(({ variantId, title }) => [variantId, title]))
  return (
    <section className="stack">
      <h2>{text.fulfilments}</h2>
      {order.fulfilments.map((fulfilment) => (
        <div key={fulfilment.id} className="panel stack">
          <p>
            <Moment at={fulfilment.at} />
            {fulfilment.carrier && ` · ${fulfilment.carrier}`}
            {fulfilment.trackingNumber && ` · ${fulfilment.trackingNumber}`}
          </p>
          <ul>
            {fulfilment.lines.map(({ variantId, quantity }) => (
              <li key={variantId}>
                {quantity} × {titles.get(variantId)}
              </li>
            ))}
          </ul>
          {fulfilment.deliveredAt ? (
            <p>
              {text.deliveredAt} <Moment at={fulfilment.deliveredAt} />
            </p>
          ) : (
            mayWrite && (
              <Form method="post">
                <Hidden intent="deliver" fulfilmentId={fulfilment.id} />
                <Button look="quiet">{text.markDelivered}</Button>
              </Form>
            )
          )}
        </div>
      ))}
    </section>
  )
}
