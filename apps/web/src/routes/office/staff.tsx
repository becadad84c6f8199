import { Link, type LoaderFunctionArgs, useLoaderData } from 'react-router'
import { Badge } from '../../design/Badge.tsx'
import { EmptyState } from '../../design/EmptyState.tsx'
import { Field, Select } from '../../design/Field.tsx'
import { Pagination } from '../../design/Pagination.tsx'
import { Table } from '../../design/Table.tsx'
import { useOfficeText } from '../../text/office-text.ts'
import { Filters, PageHead } from './bits.tsx'
import { type Office, openOffice, queryOf, readPage } from './office.server.ts'
import { findPeople } from './people.server.ts'

const limit = 50
// Somebody is looked for by name or e-mail; who is not among the first is looked for better.
const foundAtMost = 10

export async function loader(args: LoaderFunctionArgs) {
  const office = await openOffice(args, ['rbac:read'])
  const { page, may } = office
  const asked = queryOf(page, ['role', 'q'])
  const [{ data }, roles, found] = await Promise.all([
    readPage(page, (cursor) =>
      page.call('listSubjects', {
        query: {
          limit,
          ...(cursor !== undefined && { cursor }),
          ...(asked.role !== undefined && { role: asked.role }),
        },
      }),
    ),
    page.call('listRoles', {}),
    findCustomers(office, asked.q),
  ])
  const ids = data.items.map(({ subjectId }) => subjectId)
  const people = await findPeople(office, ids)
  return {
    items: data.items.map((item) => ({ ...item, person: people.get(item.subjectId) ?? null })),
    nextCursor: data.nextCursor,
    roles: roles.data.items.map(({ role }) => role),
    ...{ asked, found },
    mayAssign: may('rbac:write') && may('customers:read'),
    me: page.visit.session?.customerId ?? null,
  }
}

async function findCustomers({ page, may }: Office, q: string | undefined) {
  if (q === undefined || !may('customers:read')) return undefined
  const { data } = await page.call('listCustomers', { query: { q, limit: foundAtMost } })
  return data.items
}

export default function Staff() {
  const { items, nextCursor, roles, asked, me, mayAssign } = useLoaderData<typeof loader>()
  const text = useOfficeText()
  return (
    <div className="stack">
      <PageHead title={text.staff} />
      {mayAssign && <Find />}
      <h2>{text.staffNow}</h2>
      <Filters label={text.role}>
        <Select label={text.role} name="role" defaultValue={asked.role} key={asked.role}>
          <option value="">{text.every}</option>
          {roles.map((role) => (
            <option key={role}>{role}</option>
          ))}
        </Select>
      </Filters>
      {items.length === 0 ? (
        <EmptyState title={text.noStaff} />
      ) : (
        <Table
          caption={text.staff}
          columns={[{ label: text.name }, { label: text.email }, { label: text.roles }]}
        >
          {items.map(({ subjectId, roles: held, person }) => (
            <tr key={subjectId}>
              <th scope="row">
                <Link to={`/office/staff/${subjectId}`}>{person?.name ?? subjectId}</Link>
                {subjectId === me && <span className="muted"> ({text.you})</span>}
              </th>
              <td>{person?.email ?? '–'}</td>
              <td>
                <span className="row">
                  {held.map((role) => (
                    <Badge key={role}>{role}</Badge>
                  ))}
                </span>
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

/** Who has no role yet is found among the customers: everybody signs up the same way. */
function Find() {
  const { asked, found } = useLoaderData<typeof loader>()
  const text = useOfficeText()
  return (
    <section className="panel stack">
      <h2>{text.addStaff}</h2>
      <p className="muted small">{text.addStaffHint}.</p>
      <Filters label={text.addStaff}>
        <Field
          label={text.searchCustomers}
          name="q"
          type="search"
          defaultValue={asked.q}
          key={asked.q}
        />
      </Filters>
      <div role="status">
        {found?.length === 0 && <p>{text.noCustomers}</p>}
        {found && found.length > 0 && (
          <ul className="stack">
            {found.map(({ id, name, email }) => (
              <li key={id}>
                <Link to={`/office/staff/${id}`}>{name}</Link>{' '}
                <span className="muted">{email}</span>
              </li>
            ))}
          </ul>
        )}
      </div>
    </section>
  )
}
