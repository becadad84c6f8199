import { type LoaderFunctionArgs, useLoaderData } from 'react-router'
import { Badge } from '../../design/Badge.tsx'
import { EmptyState } from '../../design/EmptyState.tsx'
import { Table } from '../../design/Table.tsx'
import { pageOf } from '../../server/page.server.ts'
import { requireStaff } from '../../server/staff.server.ts'
import { useConsoleText } from '../../text/console-text.ts'
import { Moment } from './work-parts.tsx'

export async function loader(args: LoaderFunctionArgs) {
  const page = pageOf(args)
  await requireStaff(page, ['system:read'])
  return (await page.call('listUnfinishedOrders', {})).data
}

export default function Unfinished() {
  const { items } = useLoaderData<typeof loader>()
  const { work } = useConsoleText()
  return (
    <div className="stack">
      <h1>{work.unfinished}</h1>
      <p className="muted">{work.unfinishedText}</p>
      {items.length === 0 ? (
        <EmptyState title={work.noUnfinished} text={work.noUnfinishedText} />
      ) : (
        <Table
          caption={work.unfinished}
          columns={[{ label: work.what }, { label: work.order }, { label: work.since }]}
        >
          {items.map(({ kind, orderId, since }) => (
            <tr key={`${kind} ${orderId}`}>
              <th scope="row">
                <Badge tone="warn">{work.steps[kind]}</Badge>
              </th>
              <td className="small">{orderId}</td>
              <td>
                <Moment at={since} />
              </td>
            </tr>
          ))}
        </Table>
      )}
    </div>
  )
}
