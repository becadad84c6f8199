import type { ListDeadLettersQuery } from '@halles/contracts/gen/http/gateway'
import {
  type ActionFunctionArgs,
  data,
  Form,
  Link,
  type LoaderFunctionArgs,
  useActionData,
  useLoaderData,
  useNavigation,
} from 'react-router'
import { Button } from '../../design/Button.tsx'
import { EmptyState } from '../../design/EmptyState.tsx'
import { Field } from '../../design/Field.tsx'
import { Notice } from '../../design/Notice.tsx'
import { Pagination } from '../../design/Pagination.tsx'
import { Table } from '../../design/Table.tsx'
import { refusalOf, textOf } from '../../server/form.server.ts'
import { pageOf } from '../../server/page.server.ts'
import { requireStaff } from '../../server/staff.server.ts'
import { useConsoleText } from '../../text/console-text.ts'
import { Moment, RefusalNotice } from './work-parts.tsx'

type Filter = Pick<ListDeadLettersQuery, 'service' | 'type'> & {
  failedAfter?: string
  failedBefore?: string
}

// A page of a table.
const limit = 25
// As many as the API replays at once.
const mostReplayed = 100

export async function loader(args: LoaderFunctionArgs) {
  const page = pageOf(args)
  const permissions = await requireStaff(page, ['system:read'])
  const search = page.url.searchParams
  const filter = filterOf((name) => search.get(name)?.trim() ?? '')
  const cursor = search.get('cursor')
  const query = { ...filter, limit, ...(cursor !== null && { cursor }) }
  const { data: letters } = await page.call('listDeadLetters', { query })
  return { ...letters, filter, mayAct: permissions.has('system:write') }
}

export async function action(args: ActionFunctionArgs) {
  const page = pageOf(args)
  await requireStaff(page, ['system:write'])
  const form = await args.request.formData()
  try {
    const body = { ...filterOf((name) => textOf(form, name)), limit: mostReplayed }
    const { data: result } = await page.call('replayDeadLetters', { body })
    return { result }
  } catch (error) {
    return data({ refusal: refusalOf(error) }, { status: 422 })
  }
}

/** What was filled in; a moment without its zone is in UTC, as the page writes it. */
function filterOf(read: (name: string) => string): Filter {
  const moment = (name: string) => {
    const atMs = Date.parse(`${read(name).slice(0, 19)}Z`)
    return Number.isNaN(atMs) ? undefined : new Date(atMs).toISOString()
  }
  const [service, type] = [read('service').slice(0, 80), read('type').slice(0, 120)]
  const [failedAfter, failedBefore] = [moment('failedAfter'), moment('failedBefore')]
  return {
    ...(service !== '' && { service }),
    ...(type !== '' && { type }),
    ...(failedAfter !== undefined && { failedAfter }),
    ...(failedBefore !== undefined && { failedBefore }),
  }
}

export default function DeadLetters() {
  const { items, nextCursor, filter, mayAct } = useLoaderData<typeof loader>()
  const text = useConsoleText()
  const { work } = text
  return (
    <div className="stack">
      <h1>{work.deadLetters}</h1>
      <p className="muted">{work.deadLettersText}</p>
      <Filters filter={filter} />
      <Outcome />
      {items.length === 0 ? (
        <EmptyState title={work.noDeadLetters} text={work.noDeadLettersText} />
      ) : (
        <Table
          caption={work.deadLetters}
          columns={[
            { label: work.type },
            { label: work.consumer },
            { label: work.reason },
            { label: work.attempts, isNumeric: true },
            { label: work.failedAt },
          ]}
        >
          {items.map(({ id, type, service, address, code, reason, attempts, deadAt }) => (
            <tr key={id}>
              <th scope="row">
                {mayAct ? <Link to={`/console/dead-letters/${id}`}>{type}</Link> : type}
              </th>
              <td>
                {service} <span className="muted small">{address.name}</span>
              </td>
              <td>
                <code>{code}</code> <span className="muted small">{reason}</span>
              </td>
              <td className="end numeric">{attempts}</td>
              <td>
                <Moment at={deadAt} />
              </td>
            </tr>
          ))}
        </Table>
      )}
      <Pagination
        nextCursor={nextCursor}
        labels={{ pages: text.pages, first: text.first, next: text.next }}
      />
      {mayAct && items.length > 0 && <ReplayAll filter={filter} />}
      {!mayAct && <p className="muted small">{work.notAllowed}</p>}
    </div>
  )
}

function Filters({ filter }: { filter: Filter }) {
  const { work } = useConsoleText()
  return (
    <Form className="row work-filters" role="search">
      <Field label={work.consumer} name="service" defaultValue={filter.service} maxLength={80} />
      <Field label={work.type} name="type" defaultValue={filter.type} maxLength={120} />
      <Field
        label={`${work.from} (UTC)`}
        name="failedAfter"
        type="datetime-local"
        defaultValue={filter.failedAfter?.slice(0, 16)}
      />
      <Field
        label={`${work.until} (UTC)`}
        name="failedBefore"
        type="datetime-local"
        defaultValue={filter.failedBefore?.slice(0, 16)}
      />
      <Button look="quiet">{work.filter}</Button>
    </Form>
  )
}

function ReplayAll({ filter }: { filter: Filter }) {
  const { work } = useConsoleText()
  const { state } = useNavigation()
  return (
    <Form method="post" className="row panel">
      {Object.entries(filter).map(([name, value]) => (
        <input key={name} type="hidden" name={name} value={value.replace(/Z$/, '')} />
      ))}
      <Button disabled={state === 'submitting'}>{work.replayAll}</Button>
      <span className="muted small">{work.replayAllText}</span>
    </Form>
  )
}

function Outcome() {
  const answer = useActionData<typeof action>()
  const { work } = useConsoleText()
  if (!answer) return null
  if ('refusal' in answer) return <RefusalNotice refusal={answer.refusal} />
  const { replayed, failed, hasMore } = answer.result
  return (
    <Notice tone={failed.length === 0 ? 'good' : 'warn'}>
      {work.replayed(replayed, failed.length)} {hasMore && work.hasMore}
    </Notice>
  )
}
