import { Link, type LoaderFunctionArgs, useLoaderData } from 'react-router'
import { EmptyState } from '../../design/EmptyState.tsx'
import { Field, Select } from '../../design/Field.tsx'
import { Money } from '../../design/Money.tsx'
import { Pagination } from '../../design/Pagination.tsx'
import { Table } from '../../design/Table.tsx'
import { useOfficeText } from '../../text/office-text.ts'
import { parseAmount } from './amount.ts'
import { Filters, Moment, OrderBadge, PageHead } from './bits.tsx'
import { oneOf, openOffice, queryOf, readPage } from './office.server.ts'
import { orderStatuses } from './order-statuses.ts'
import { shortId } from './short-id.ts'

const limit = 50
const dayMs = 86_400_000

export async function loader(args: LoaderFunctionArgs) {
  const { page } = await openOffice(args, ['orders:read'])
  const asked = queryOf(page, ['q', 'status', 'from', 'to', 'least'])
  const status = oneOf(orderStatuses, asked.status)
  const from = dayOf(asked.from)
  const to = dayOf(asked.to)
  // Amounts of a search are in the currency of most orders; the API compares the bare number.
  const least = parseAmount(asked.least ?? '', 'EUR')?.amountMinor
  const { data } = await readPage(page, (cursor) =>
    page.call('listOrders', {
      query: {
        all: true,
        limit,
        ...(cursor !== undefined && { cursor }),
        ...(asked.q !== undefined && { q: asked.q }),
        ...(status && { status }),
        ...(from !== undefined && { from: new Date(from).toISOString() }),
        ...(to !== undefined && { to: new Date(to + dayMs).toISOString() }),
        ...(least !== undefined && { minTotal: least }),
      },
    }),
  )
  return { ...data, asked }
}

/** Midnight of a day in UTC; undefined for what is no day. */
function dayOf(text: string | undefined): number | undefined {
  const ms = /^\d{4}-\d{2}-\d{2}$/.test(text ?? '') ? Date.parse(`${text}T00:00:00Z`) : Number.NaN
  return Number.isNaN(ms) ? undefined : ms
}

export default function Orders() {
  const { items, nextCursor, asked } = useLoaderData<typeof loader>()
  const text = useOfficeText()
  return (
    <div className="stack">
      <PageHead title={text.orders} />
      <Filters label={text.searchOrders}>
        <Field
          label={text.searchOrders}
          name="q"
          type="search"
          defaultValue={asked.q}
          key={`q${asked.q}`}
          aria-keyshortcuts="/"
        />
        <Select label={text.status} name="status" defaultValue={asked.status} key={asked.status}>
          <option value="">{text.every}</option>
          {orderStatuses.map((status) => (
            <option key={status} value={status}>
              {text.orderStatus[status]}
            </option>
          ))}
        </Select>
        <Field label={text.from} name="from" type="date" defaultValue={asked.from} />
        <Field label={text.until} name="to" type="date" defaultValue={asked.to} />
        <Field
          label={text.leastTotal}
          name="least"
          inputMode="decimal"
          defaultValue={asked.least}
        />
      </Filters>
      {items.length === 0 ? (
        <EmptyState title={text.noOrders} text={text.noOrdersText} />
      ) : (
        <Table
          caption={text.orders}
          columns={[
            { label: text.order },
            { label: text.placed },
            { label: text.status },
            { label: text.email },
            { label: text.lines, isNumeric: true },
            { label: text.total, isNumeric: true },
          ]}
        >
          {items.map((order) => (
            <tr key={order.id}>
              <th scope="row">
                <Link to={`/office/orders/${order.id}`} prefetch="intent">
                  {shortId(order.id)}
                </Link>
              </th>
              <td>
                <Moment at={order.placedAt} />
              </td>
              <td>
                <OrderBadge status={order.status} />
              </td>
              <td>{order.email ?? text.noEmail}</td>
              <td className="end numeric">{order.lineCount}</td>
              <td className="end">
                <Money value={order.total} />
              </td>
            </tr>
          ))}
        </Table>
      )}
      <Pagination
        nextCursor={nextCursor}
        labels={{ pages: text.pages, first: text.first, next: text.next }}
      />
    </div>
  )
}
