import { Link, type LoaderFunctionArgs, useLoaderData } from 'react-router'
import { Breadcrumbs } from '../../design/Breadcrumbs.tsx'
import { Money } from '../../design/Money.tsx'
import { Notice } from '../../design/Notice.tsx'
import { Table } from '../../design/Table.tsx'
import { attempt } from '../../server/page.server.ts'
import { useOfficeText } from '../../text/office-text.ts'
import { Moment, OrderBadge, PageHead } from './bits.tsx'
import { idOf, type Office, openOffice } from './office.server.ts'
import { shortId } from './short-id.ts'

export async function loader(args: LoaderFunctionArgs) {
  const office = await openOffice(args, ['customers:read'])
  const customerId = idOf(args, 'customerId')
  const { data } = await office.page.call('getCustomer', { params: { customerId } })
  return {
    ...data,
    orders: await readOrders(office, data.customer),
    mayReadRoles: office.may('rbac:read'),
  }
}

/** Their orders by the address they gave; the API has no search by customer. */
async function readOrders({ page, may }: Office, { id, email }: { id: string; email: string }) {
  if (!may('orders:read')) return undefined
  const query = { all: true, q: email, limit: 50 }
  const { data } = await attempt(page.call('listOrders', { query }))
  return data ? data.data.items.filter(({ customerId }) => customerId === id) : null
}

export default function Customer() {
  const { customer, addresses, orders, mayReadRoles } = useLoaderData<typeof loader>()
  const text = useOfficeText()
  return (
    <div className="stack">
      <Breadcrumbs
        label={text.trail}
        trail={[{ to: '/office/customers', label: text.customers }, { label: customer.name }]}
      />
      <PageHead title={customer.name}>
        {mayReadRoles && <Link to={`/office/staff/${customer.id}`}>{text.rolesOfPerson}</Link>}
      </PageHead>
      <div className="office-two">
        <section className="panel">
          <dl className="office-facts">
            <dt>{text.email}</dt>
            <dd>
              <a href={`mailto:${customer.email}`}>{customer.email}</a>
            </dd>
            <dt>{text.since}</dt>
            <dd>
              <Moment at={customer.createdAt} />
            </dd>
            <dt>{text.id}</dt>
            <dd className="office-id">{customer.id}</dd>
          </dl>
        </section>
        <section className="panel stack">
          <h2>{text.addresses}</h2>
          {addresses.length === 0 && <p className="muted">{text.noAddresses}</p>}
          <ul className="stack">
            {addresses.map(({ id, address }) => (
              <li key={id}>
                {[
                  address.name,
                  address.line1,
                  address.line2,
                  `${address.postalCode} ${address.city}`,
                  address.country,
                ]
                  .filter((part) => part)
                  .join(', ')}
              </li>
            ))}
          </ul>
        </section>
      </div>
      {orders !== undefined && (
        <section className="stack">
          <h2>{text.orders}</h2>
          {orders === null && <Notice tone="warn">{text.partAway}</Notice>}
          {orders?.length === 0 && <p className="muted">{text.noOrdersOf}</p>}
          {orders && orders.length > 0 && (
            <Table
              caption={text.orders}
              columns={[
                { label: text.order },
                { label: text.placed },
                { label: text.status },
                { label: text.total, isNumeric: true },
              ]}
            >
              {orders.map((order) => (
                <tr key={order.id}>
                  <th scope="row">
                    <Link to={`/office/orders/${order.id}`}>{shortId(order.id)}</Link>
                  </th>
                  <td>
                    <Moment at={order.placedAt} />
                  </td>
                  <td>
                    <OrderBadge status={order.status} />
                  </td>
                  <td className="end">
                    <Money value={order.total} />
                  </td>
                </tr>
              ))}
            </Table>
          )}
        </section>
      )}
    </div>
  )
}
