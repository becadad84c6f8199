import { Link, type LoaderFunctionArgs, useLoaderData } from 'react-router'
import { EmptyState } from '../../design/EmptyState.tsx'
import { Field, Select } from '../../design/Field.tsx'
import { Pagination } from '../../design/Pagination.tsx'
import { Table } from '../../design/Table.tsx'
import type { Page } from '../../server/page.server.ts'
import { useOfficeText } from '../../text/office-text.ts'
import { Filters, Moment, PageHead } from './bits.tsx'
import { isId, openOffice, queryOf, readPage } from './office.server.ts'
import { findPeople } from './people.server.ts'

const limit = 50
const scanned = 100
// A search looks at so many entries at most and then offers to go on.
const maxScans = 5

type Asked = Partial<Record<'q' | 'action', string>>

export async function loader(args: LoaderFunctionArgs) {
  const office = await openOffice(args, ['rbac:read'])
  const asked = queryOf(office.page, ['q', 'action'])
  const { items, nextCursor } = await readPage(office.page, (cursor) =>
    readEntries(office.page, asked, cursor),
  )
  const ids = items.flatMap(({ actorId, target }) => [actorId ?? '', target.split(':')[1] ?? ''])
  const people = await findPeople(office, ids.filter(isId))
  return { items, nextCursor, asked, people: Object.fromEntries(people) }
}

/** The API has no search of its own here, so pages of it are read until enough is found. */
async function readEntries(page: Page, asked: Asked, cursor: string | undefined) {
  const isSearch = asked.q !== undefined || asked.action !== undefined
  const read = async (from: string | undefined) => {
    const query = { limit: isSearch ? scanned : limit, ...(from !== undefined && { cursor: from }) }
    return (await page.call('listAuditLog', { query })).data
  }
  let { items, nextCursor } = await read(cursor)
  if (!isSearch) return { items, nextCursor }
  let found = items.filter((entry) => isAsked(entry, asked))
  for (let scans = 1; scans < maxScans && nextCursor !== null && found.length < limit; scans += 1) {
    ;({ items, nextCursor } = await read(nextCursor))
    found = [...found, ...items.filter((entry) => isAsked(entry, asked))]
  }
  return { items: found, nextCursor }
}

type Entry = {
  actorId: string | null
  action: string
  target: string
  before: string[]
  after: string[]
}

function isAsked(entry: Entry, { q, action }: Asked): boolean {
  if (action !== undefined && entry.action !== action) return false
  if (q === undefined) return true
  const words = [entry.actorId, entry.action, entry.target, ...entry.before, ...entry.after]
  return words.join(' ').toLowerCase().includes(q.toLowerCase())
}

export default function Audit() {
  const { items, nextCursor } = useLoaderData<typeof loader>()
  const text = useOfficeText()
  return (
    <div className="stack">
      <PageHead title={text.audit} />
      <AuditFilters />
      {items.length === 0 ? (
        <EmptyState
          title={text.noEntries}
          {...(nextCursor !== null && { text: text.noEntriesYet })}
        />
      ) : (
        <Table
          caption={text.audit}
          columns={[
            { label: text.moment },
            { label: text.who },
            { label: text.what },
            { label: text.target },
            { label: text.change },
          ]}
        >
          {items.map((entry) => (
            <tr key={entry.id}>
              <td>
                <Moment at={entry.at} />
              </td>
              <td>{entry.actorId ? <Person id={entry.actorId} /> : text.theSystem}</td>
              <th scope="row">{text.audited[entry.action] ?? entry.action}</th>
              <td>
                <Target of={entry.target} />
              </td>
              <td>
                <Difference {...entry} />
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

function AuditFilters() {
  const { asked } = useLoaderData<typeof loader>()
  const text = useOfficeText()
  return (
    <Filters label={text.searchAudit}>
      <Field
        label={text.searchAudit}
        name="q"
        type="search"
        defaultValue={asked.q}
        key={`q${asked.q}`}
        aria-keyshortcuts="/"
      />
      <Select label={text.what} name="action" defaultValue={asked.action} key={asked.action}>
        <option value="">{text.every}</option>
        {Object.entries(text.audited).map(([action, label]) => (
          <option key={action} value={action}>
            {label}
          </option>
        ))}
      </Select>
    </Filters>
  )
}

function Person({ id }: { id: string }) {
  const { people } = useLoaderData<typeof loader>()
  const person = people[id]
  return (
    <Link to={`/office/staff/${id}`} {...(!person && { className: 'office-id' })}>
      {person?.name ?? id}
    </Link>
  )
}

function Target({ of: target }: { of: string }) {
  const [kind, name = ''] = target.split(':', 2)
  return kind === 'subject' ? <Person id={name} /> : <span className="office-id">{target}</span>
}

/** What came and what went, where lists were changed; other details by name. */
function Difference({
  before,
  after,
  details,
}: {
  before: readonly string[]
  after: readonly string[]
  details: Readonly<Record<string, unknown>>
}) {
  const came = after.filter((word) => !before.includes(word))
  const went = before.filter((word) => !after.includes(word))
  const text = useOfficeText()
  return (
    <>
      {came.map((word) => (
        <span key={word} className="office-line">
          <ins>
            <span className="visually-hidden">{text.added} </span>+ {word}
          </ins>
        </span>
      ))}
      {went.map((word) => (
        <span key={word} className="office-line">
          <del>
            <span className="visually-hidden">{text.taken} </span>− {word}
          </del>
        </span>
      ))}
      {Object.entries(details).map(([name, value]) => (
        <span key={name} className="office-line small muted">
          {name}: {String(value)}
        </span>
      ))}
    </>
  )
}
