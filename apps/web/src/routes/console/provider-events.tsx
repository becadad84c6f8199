import {
  type ActionFunctionArgs,
  data,
  Form,
  type LoaderFunctionArgs,
  useActionData,
  useLoaderData,
} from 'react-router'
import { Badge } from '../../design/Badge.tsx'
import { Button } from '../../design/Button.tsx'
import { EmptyState } from '../../design/EmptyState.tsx'
import { Field, Select } from '../../design/Field.tsx'
import { Notice } from '../../design/Notice.tsx'
import { Pagination } from '../../design/Pagination.tsx'
import { Table } from '../../design/Table.tsx'
import { refusalOf, textOf } from '../../server/form.server.ts'
import { pageOf } from '../../server/page.server.ts'
import { requireStaff } from '../../server/staff.server.ts'
import { useConsoleText } from '../../text/console-text.ts'
import { Moment, RefusalNotice } from './work-parts.tsx'

const outcomes = ['open', 'applied', 'duplicate', 'ignored', 'refused'] as const
const tones = { open: 'warn', applied: 'good', refused: 'bad' } as const
const limit = 25

export async function loader(args: LoaderFunctionArgs) {
  const page = pageOf(args)
  const permissions = await requireStaff(page, ['system:read'])
  const search = page.url.searchParams
  const type = search.get('type')?.trim().slice(0, 120) ?? ''
  const outcome = outcomes.find((each) => each === search.get('outcome'))
  const cursor = search.get('cursor')
  const query = {
    limit,
    ...(type !== '' && { type }),
    ...(outcome !== undefined && { outcome }),
    ...(cursor !== null && { cursor }),
  }
  const { data: events } = await page.call('listProviderEvents', { query })
  return { ...events, type, outcome: outcome ?? '', mayAct: permissions.has('system:write') }
}

export async function action(args: ActionFunctionArgs) {
  const page = pageOf(args)
  await requireStaff(page, ['system:write'])
  const eventId = textOf(await args.request.formData(), 'eventId')
  try {
    const { data: receipt } = await page.call('replayProviderEvent', { params: { eventId } })
    return { outcome: receipt.outcome }
  } catch (error) {
    return data({ refusal: refusalOf(error) }, { status: 422 })
  }
}

export default function ProviderEvents() {
  const { items, nextCursor, mayAct } = useLoaderData<typeof loader>()
  const text = useConsoleText()
  const { work } = text
  const answer = useActionData<typeof action>()
  return (
    <div className="stack">
      <h1>{work.providerEvents}</h1>
      <p className="muted">{work.providerEventsText}</p>
      <Filters />
      {answer && 'refusal' in answer && <RefusalNotice refusal={answer.refusal} />}
      {answer && 'outcome' in answer && (
        <Notice tone="good">{work.applied(work.outcomes[answer.outcome])}</Notice>
      )}
      {items.length === 0 ? (
        <EmptyState title={work.noProviderEvents} text={work.noProviderEventsText} />
      ) : (
        <Table
          caption={work.providerEvents}
          columns={[
            { label: work.type },
            { label: work.outcome },
            { label: work.order },
            { label: work.attempts, isNumeric: true },
            { label: work.received },
            { label: work.decision },
          ]}
        >
          {items.map((event) => (
            <EventRow key={event.id} event={event} mayAct={mayAct} />
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

type Event = Awaited<ReturnType<typeof loader>>['items'][number]

function EventRow({ event, mayAct }: { event: Event; mayAct: boolean }) {
  const { work } = useConsoleText()
  const { id, type, orderId, attempts, lastFailure, receivedAt } = event
  const outcome = event.outcome ?? 'open'
  const mayReplay = mayAct && (outcome === 'open' || outcome === 'refused')
  return (
    <tr>
      <th scope="row">
        {type} <span className="muted small">{id}</span>
      </th>
      <td>
        <Badge {...(outcome in tones && { tone: tones[outcome as keyof typeof tones] })}>
          {work.outcomes[outcome]}
        </Badge>
        {lastFailure !== null && <p className="muted small">{lastFailure}</p>}
      </td>
      <td className="small">{orderId ?? '–'}</td>
      <td className="end numeric">{attempts}</td>
      <td>
        <Moment at={receivedAt} />
      </td>
      <td>
        {mayReplay && (
          <Form method="post">
            <Button look="quiet" name="eventId" value={id}>
              {work.applyAgain}
            </Button>
          </Form>
        )}
      </td>
    </tr>
  )
}

function Filters() {
  const { type, outcome } = useLoaderData<typeof loader>()
  const { work, all } = useConsoleText()
  return (
    <Form className="row work-filters" role="search">
      <Field label={work.type} name="type" defaultValue={type} maxLength={120} />
      <Select label={work.outcome} name="outcome" defaultValue={outcome}>
        <option value="">{all}</option>
        {outcomes.map((each) => (
          <option key={each} value={each}>
            {work.outcomes[each]}
          </option>
        ))}
      </Select>
      <Button look="quiet">{work.filter}</Button>
    </Form>
  )
}
