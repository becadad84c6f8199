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
import { Notice } from '../../design/Notice.tsx'
import { Pagination } from '../../design/Pagination.tsx'
import { Table } from '../../design/Table.tsx'
import { refusalOf } from '../../server/form.server.ts'
import { pageOf } from '../../server/page.server.ts'
import { requireStaff } from '../../server/staff.server.ts'
import { useConsoleText } from '../../text/console-text.ts'
import { Moment, RefusalNotice } from './work-parts.tsx'

const limit = 25
const dayMs = 24 * 60 * 60_000

export async function loader(args: LoaderFunctionArgs) {
  const page = pageOf(args)
  const permissions = await requireStaff(page, ['system:read'])
  const cursor = page.url.searchParams.get('cursor')
  const query = { limit, ...(cursor !== null && { cursor }) }
  const { data: findings } = await page.call('listFindings', { query })
  return { ...findings, mayAct: permissions.has('system:write') }
}

export async function action(args: ActionFunctionArgs) {
  const page = pageOf(args)
  await requireStaff(page, ['system:write'])
  try {
    const from = new Date(Date.now() - dayMs).toISOString()
    const { data: result } = await page.call('reconcilePayments', { body: { from } })
    const { compared, repaired, findings } = result
    return { compared, repaired, found: findings.length }
  } catch (error) {
    return data({ refusal: refusalOf(error) }, { status: 422 })
  }
}

export default function Findings() {
  const { items, nextCursor, mayAct } = useLoaderData<typeof loader>()
  const text = useConsoleText()
  const { work } = text
  const answer = useActionData<typeof action>()
  return (
    <div className="stack">
      <h1>{work.findings}</h1>
      <p className="muted">{work.findingsText}</p>
      {mayAct && (
        <Form method="post">
          <Button look="quiet">{work.compare}</Button>
        </Form>
      )}
      {answer && 'refusal' in answer && <RefusalNotice refusal={answer.refusal} />}
      {answer && 'compared' in answer && (
        <Notice tone={answer.found > 0 ? 'warn' : 'good'}>
          {work.compared(answer.compared, answer.repaired, answer.found)}
        </Notice>
      )}
      {items.length === 0 ? (
        <EmptyState title={work.noFindings} text={work.noFindingsText} />
      ) : (
        <Table
          caption={work.findings}
          columns={[
            { label: work.what },
            { label: work.detail },
            { label: work.order },
            { label: work.found },
          ]}
        >
          {items.map(({ kind, detail, orderId, providerReference, foundAt }) => (
            <tr key={`${kind} ${orderId} ${providerReference} ${foundAt}`}>
              <th scope="row">
                <Badge tone="warn">{work.kinds[kind]}</Badge>
              </th>
              <td>{detail}</td>
              <td className="small">{orderId ?? providerReference ?? '–'}</td>
              <td>
                <Moment at={foundAt} />
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
