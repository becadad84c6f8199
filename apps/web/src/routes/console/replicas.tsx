import {
  type ActionFunctionArgs,
  data,
  Form,
  type LoaderFunctionArgs,
  useActionData,
  useLoaderData,
  useNavigation,
} from 'react-router'
import { Button } from '../../design/Button.tsx'
import { Notice } from '../../design/Notice.tsx'
import { refusalOf, textOf } from '../../server/form.server.ts'
import { pageOf } from '../../server/page.server.ts'
import { requireStaff } from '../../server/staff.server.ts'
import { useConsoleText } from '../../text/console-text.ts'
import { RefusalNotice } from './work-parts.tsx'

const services = ['carts', 'wishlists'] as const

export async function loader(args: LoaderFunctionArgs) {
  const permissions = await requireStaff(pageOf(args), ['system:read'])
  return { mayAct: permissions.has('system:write') }
}

export async function action(args: ActionFunctionArgs) {
  const page = pageOf(args)
  await requireStaff(page, ['system:write'])
  const name = textOf(await args.request.formData(), 'service')
  const replicaService = services.find((each) => each === name) ?? 'carts'
  try {
    return (await page.call('rebuildReplica', { params: { replicaService } })).data
  } catch (error) {
    return data({ refusal: refusalOf(error) }, { status: 422 })
  }
}

export default function Replicas() {
  const { mayAct } = useLoaderData<typeof loader>()
  const { work } = useConsoleText()
  const { state } = useNavigation()
  const answer = useActionData<typeof action>()
  return (
    <div className="stack">
      <h1>{work.replicas}</h1>
      <p className="muted">{work.replicasText}</p>
      {answer && 'refusal' in answer && <RefusalNotice refusal={answer.refusal} />}
      {answer && 'messages' in answer && (
        <Notice tone="good">{work.rebuilt(answer.messages, answer.products)}</Notice>
      )}
      {mayAct ? (
        services.map((service) => (
          <Form method="post" key={service} className="row">
            <Button look="quiet" name="service" value={service} disabled={state !== 'idle'}>
              {work.rebuildOf(service)}
            </Button>
          </Form>
        ))
      ) : (
        <p className="muted small">{work.notAllowed}</p>
      )}
    </div>
  )
}
