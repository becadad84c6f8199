import type { ReactNode } from 'react'
import { Link, type LoaderFunctionArgs, useLoaderData } from 'react-router'
import { Badge } from '../../design/Badge.tsx'
import { Money } from '../../design/Money.tsx'
import { Notice } from '../../design/Notice.tsx'
import { Table } from '../../design/Table.tsx'
import { attempt } from '../../server/page.server.ts'
import { officePermissions } from '../../server/staff.server.ts'
import { useOfficeText } from '../../text/office-text.ts'
import { Moment, PageHead } from './bits.tsx'
import { DaysChart, sumDays } from './DaysChart.tsx'
import { lowStock } from './low-stock.ts'
import { type Office, openOffice } from './office.server.ts'
import { shortId } from './short-id.ts'

// A month says more than a week, and the API takes up to 92 days.
const days = 30
const dayMs = 86_400_000

export async function loader(args: LoaderFunctionArgs) {
  const office = await openOffice(args, officePermissions)
  const [orders, stock] = await Promise.all([readOrders(office), readStock(office)])
  return { orders, stock }
}

async function readOrders({ page, may }: Office) {
  if (!may('orders:read')) return undefined
  const now = Date.now()
  const first = new Date(Math.floor(now / dayMs) * dayMs - (days - 1) * dayMs)
  const query = { from: first.toISOString(), to: new Date(now + dayMs).toISOString() }
  const [summary, waiting] = await Promise.all([
    attempt(page.call('summarizeOrders', { query })),
    attempt(page.call('listOrders', { query: { all: true, status: 'paid', limit: 8 } })),
  ])
  return {
    summary: summary.data?.data ?? null,
    waiting: waiting.data?.data.items ?? null,
    today: new Date(now).toISOString().slice(0, 10),
  }
}

async function readStock({ page, may }: Office) {
  if (!may('products:read')) return undefined
  const query = { status: 'active', maxAvailable: lowStock, sort: 'title', limit: 8 } as const
  const { data } = await attempt(page.call('listCatalogue', { query }))
  return { items: data?.data.items ?? null, hasMore: data?.data.nextCursor !== null }
}

type Loaded = Awaited<ReturnType<typeof loader>>

export default function Dashboard() {
  const { orders, stock } = useLoaderData<typeof loader>()
  const text = useOfficeText()
  return (
    <div className="stack">
      <PageHead title={text.dashboard} />
      {orders && <OrderFigures {...orders} />}
      <div className="office-two">
        {orders && <Waiting items={orders.waiting} />}
        {stock && <LowStock {...stock} />}
      </div>
      {!orders && !stock && <p className="muted">{text.dashboardEmpty}</p>}
    </div>
  )
}

function OrderFigures({ summary, today }: NonNullable<Loaded['orders']>) {
  const text = useOfficeText()
  if (!summary) return <Notice tone="warn">{text.partAway}</Notice>
  const inAll = sumDays(summary.days)
  const ofToday = sumDays(summary.days.filter(({ date }) => date === today))
  const toSend = summary.statuses
    .filter(({ status }) => status === 'paid' || status === 'partly_fulfilled')
    .reduce((sum, { orders }) => sum + orders, 0)
  return (
    <>
      <dl className="office-figures">
        <Figure label={text.ordersToday} to="/office/orders">
          {ofToday.orders}
        </Figure>
        <Figure label={text.revenueMonth(days)}>
          {inAll.revenue.length === 0
            ? '–'
            : inAll.revenue.map((amount) => <Money key={amount.currency} value={amount} />)}
        </Figure>
        <Figure label={text.toSend} to="/office/orders?status=paid">
          {toSend}
        </Figure>
        <Figure label={text.unpaid} to="/office/orders?status=pending_payment">
          {summary.unpaid}
        </Figure>
      </dl>
      <DaysChart days={summary.days} from={summary.from} count={days} />
    </>
  )
}

function Figure({ label, to, children }: { label: string; to?: string; children: ReactNode }) {
  return (
    <div className="panel">
      <dt>{to ? <Link to={to}>{label}</Link> : label}</dt>
      <dd>{children}</dd>
    </div>
  )
}

function Waiting({ items }: { items: NonNullable<Loaded['orders']>['waiting'] }) {
  const text = useOfficeText()
  return (
    <section className="stack">
      <h2>{text.waiting}</h2>
      {items === null && <Notice tone="warn">{text.partAway}</Notice>}
      {items?.length === 0 && <p className="muted">{text.nothingWaits}</p>}
      {items && items.length > 0 && (
        <Table
          caption={text.waiting}
          columns={[
            { label: text.order },
            { label: text.placed },
            { label: text.total, isNumeric: true },
          ]}
        >
          {items.map(({ id, placedAt, total }) => (
            <tr key={id}>
              <th scope="row">
                <Link to={`/office/orders/${id}`}>{shortId(id)}</Link>
              </th>
              <td>
                <Moment at={placedAt} />
              </td>
              <td className="end">
                <Money value={total} />
              </td>
            </tr>
          ))}
        </Table>
      )}
    </section>
  )
}

function LowStock({ items, hasMore }: NonNullable<Loaded['stock']>) {
  const text = useOfficeText()
  return (
    <section className="stack">
      <h2>{text.lowStock}</h2>
      {items === null && <Notice tone="warn">{text.partAway}</Notice>}
      {items?.length === 0 && <p className="muted">{text.nothingLow}</p>}
      {items && items.length > 0 && (
        <Table
          caption={text.lowStock}
          columns={[{ label: text.product }, { label: text.variant }, { label: text.available }]}
        >
          {items.flatMap(({ id, title, variants }) =>
            variants
              .filter(({ available }) => available <= lowStock)
              .map((variant) => (
                <tr key={variant.id}>
                  <th scope="row">
                    <Link to={`/office/products/${id}/stock`}>{title}</Link>
                  </th>
                  <td>{variant.title}</td>
                  <td>
                    <Badge tone={variant.available <= 0 ? 'bad' : 'warn'}>
                      {variant.available}
                    </Badge>
                  </td>
                </tr>
              )),
          )}
        </Table>
      )}
      {hasMore && <Link to={`/office/products?status=active&stock=low`}>{text.allLow}</Link>}
    </section>
  )
}
