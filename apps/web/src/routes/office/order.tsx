import {
  type ActionFunctionArgs,
  Form,
  Link,
  type LoaderFunctionArgs,
  useActionData,
  useLoaderData,
} from 'react-router'
import { Breadcrumbs } from '../../design/Breadcrumbs.tsx'
import { Button } from '../../design/Button.tsx'
import { Field } from '../../design/Field.tsx'
import { Money } from '../../design/Money.tsx'
import { Notice } from '../../design/Notice.tsx'
import { Table } from '../../design/Table.tsx'
import { useOfficeText } from '../../text/office-text.ts'
import { toAmountText } from './amount.ts'
import { Confirm, Hidden, Moment, OrderBadge, Refused } from './bits.tsx'
import { Fulfil, Fulfilments } from './Fulfilment.tsx'
import { changeOrder, loadOrder } from './order.server.ts'
import { RefundForm, Refunds } from './Refund.tsx'
import { shortId } from './short-id.ts'
import { Timeline } from './Timeline.tsx'

export const loader = (args: LoaderFunctionArgs) => loadOrder(args)
export const action = (args: ActionFunctionArgs) => changeOrder(args)

export type Loaded = Awaited<ReturnType<typeof loadOrder>>
export type Order = Loaded['order']

export default function OrderPage() {
  const { order, timeline, mayWrite, mayReadCustomers, key } = useLoaderData<typeof loader>()
  const answer = useActionData<typeof action>()
  const text = useOfficeText()
  const refusal = answer && 'refusal' in answer ? answer.refusal : undefined
  const check = answer && 'refund' in answer ? answer : undefined
  return (
    <div className="stack">
      <Breadcrumbs
        label={text.trail}
        trail={[{ to: '/office/orders', label: text.orders }, { label: shortId(order.id) }]}
      />
      <div className="office-head">
        <h1>{text.orderNamed(shortId(order.id))}</h1>
        <OrderBadge status={order.status} />
      </div>
      <p className="muted small office-id">{order.id}</p>
      <Refused refusal={refusal} />
      <div className="office-detail">
        <div className="stack">
          <Lines order={order} />
          {mayWrite && <Fulfil key={`f${order.version}`} {...{ order, idempotencyKey: key }} />}
          <Fulfilments order={order} mayWrite={mayWrite} />
          {mayWrite && <RefundForm key={`r${order.version}`} {...{ order, check }} />}
          <Refunds order={order} mayWrite={mayWrite} />
        </div>
        <div className="stack">
          <Facts order={order} mayReadCustomers={mayReadCustomers} />
          {mayWrite && <Receipt order={order} />}
          {mayWrite && <Cancel order={order} />}
          {timeline ? (
            <Timeline items={timeline} currency={order.total.currency} />
          ) : (
            <Notice tone="warn">{text.partAway}</Notice>
          )}
        </div>
      </div>
    </div>
  )
}

function Lines({ order }: { order: Order }) {
  const text = useOfficeText()
  const { totals } = order
  return (
    <Table
      caption={text.lines}
      columns={[
        { label: text.product },
        { label: text.pieces, isNumeric: true },
        { label: text.sent, isNumeric: true },
        { label: text.refunded, isNumeric: true },
        { label: text.price, isNumeric: true },
        { label: text.total, isNumeric: true },
      ]}
    >
      {order.lines.map((line) => (
        <tr key={line.variantId}>
          <th scope="row">
            {line.title}
            <br />
            <span className="muted small">
              {line.variantTitle} · {line.sku}
            </span>
          </th>
          <td className="end numeric">{line.quantity}</td>
          <td className="end numeric">{line.fulfilledQuantity}</td>
          <td className="end numeric">{line.refundedQuantity}</td>
          <td className="end">
            <Money value={line.unitPrice} />
          </td>
          <td className="end">
            <Money value={line.total} />
          </td>
        </tr>
      ))}
      <tr>
        <th scope="row" colSpan={5}>
          {text.shipping}
        </th>
        <td className="end">
          <Money value={totals.shipping} />
        </td>
      </tr>
      <tr>
        <th scope="row" colSpan={5}>
          {text.total} <span className="muted small">{text.taxIncluded}</span>{' '}
          <span className="muted small">
            <Money value={totals.taxIncluded} />
          </span>
        </th>
        <td className="end">
          <strong>
            <Money value={totals.total} />
          </strong>
        </td>
      </tr>
    </Table>
  )
}

function Facts({ order, mayReadCustomers }: { order: Order; mayReadCustomers: boolean }) {
  const text = useOfficeText()
  const { payment, shippingAddress: to, customerId } = order
  return (
    <section className="panel">
      <dl className="office-facts">
        <dt>{text.placed}</dt>
        <dd>
          <Moment at={order.placedAt} />
        </dd>
        <dt>{text.customer}</dt>
        <dd>
          {order.email ?? text.noEmail}
          {customerId && mayReadCustomers && (
            <>
              <br />
              <Link to={`/office/customers/${customerId}`}>{text.profile}</Link>
            </>
          )}
          {!customerId && <span className="muted"> {text.guest}</span>}
        </dd>
        <dt>{text.address}</dt>
        <dd>
          {[to.name, to.line1, to.line2, `${to.postalCode} ${to.city}`, to.region, to.country]
            .filter((line) => line)
            .map((line) => (
              <span key={line} className="office-line">
                {line}
              </span>
            ))}
        </dd>
        <dt>{text.payment}</dt>
        <dd>
          {text.paymentMethods[payment.method]}: {text.paymentStatus[payment.status]}
          {payment.dispute && <strong> · {text.disputes[payment.dispute]}</strong>}
        </dd>
        <dt>{text.received}</dt>
        <dd>
          <Money value={payment.captured} />
        </dd>
        <dt>{text.refunded}</dt>
        <dd>
          <Money value={payment.refunded} />
        </dd>
      </dl>
    </section>
  )
}

function Receipt({ order }: { order: Order }) {
  const text = useOfficeText()
  const { method } = order.payment
  if (method !== 'bank_transfer' || order.status !== 'pending_payment') return null
  return (
    <section className="panel stack">
      <h2>{text.receipt}</h2>
      <p className="muted small">{text.receiptText}</p>
      <Form method="post" className="stack">
        <Hidden intent="receipt" />
        <Field
          label={text.amountIn(order.total.currency)}
          name="amount"
          defaultValue={toAmountText(order.total)}
          required
          inputMode="decimal"
        />
        <Field label={text.reference} name="reference" required maxLength={140} />
        <div>
          <Button>{text.recordReceipt}</Button>
        </div>
      </Form>
    </section>
  )
}

function Cancel({ order }: { order: Order }) {
  const text = useOfficeText()
  if (order.status !== 'pending_payment' && order.status !== 'paid') return null
  return (
    <Confirm
      label={text.cancelOrder}
      question={text.cancelQuestion}
      action={text.cancelOrderNow}
      fields={{ intent: 'cancel' }}
    >
      <Field label={text.reason} name="reason" maxLength={300} />
    </Confirm>
  )
}
