import { Link, type LoaderFunctionArgs, useLoaderData } from 'react-router'
import { EmptyState } from '../../design/EmptyState.tsx'
import { Field } from '../../design/Field.tsx'
import { Pagination } from '../../design/Pagination.tsx'
import { Table } from '../../design/Table.tsx'
import { useOfficeText } from '../../text/office-text.ts'
import { Filters, Moment, PageHead } from './bits.tsx'
import { openOffice, queryOf, readPage } from './office.server.ts'

const limit = 50

export async function loader(args: LoaderFunctionArgs) {
  const { page } = await openOffice(args, ['customers:read'])
  const asked = queryOf(page, ['q'])
  const { data } = await readPage(page, (cursor) =>
    page.call('listCustomers', {
      query: { limit, ...(cursor !== undefined && { cursor }), ...asked },
    }),
  )
  return { ...data, asked }
}

export default function Customers() {
  const { items, nextCursor, asked } = useLoaderData<typeof loader>()
  const text = useOfficeText()
  return (
    <div className="stack">
      <PageHead title={text.customers} />
      <Filters label={text.searchCustomers}>
        <Field
          label={text.searchCustomers}
          name="q"
          type="search"
          defaultValue={asked.q}
          key={asked.q}
          aria-keyshortcuts="/"
        />
      </Filters>
      {items.length === 0 ? (
        <EmptyState title={text.noCustomers} text={text.noCustomersText} />
      ) : (
        <Table
          caption={text.customers}
          columns={[{ label: text.name }, { label: text.email }, { label: text.since }]}
        >
          {items.map(({ id, name, email, createdAt }) => (
            <tr key={id}>
              <th scope="row">
                <Link to={`/office/customers/${id}`} prefetch="intent">
                  {name}
                </Link>
              </th>
              <td>{email}</td>
              <td>
                <Moment at={createdAt} />
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
