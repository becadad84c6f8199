import {
  type ActionFunctionArgs,
  data,
  Form,
  Link,
  type LoaderFunctionArgs,
  useActionData,
  useLoaderData,
} from 'react-router'
import { Button } from '../../design/Button.tsx'
import { TextArea } from '../../design/Field.tsx'
import { Notice } from '../../design/Notice.tsx'
import { refusalOf, textOf } from '../../server/form.server.ts'
import { pageOf } from '../../server/page.server.ts'
import { requireStaff } from '../../server/staff.server.ts'
import { useConsoleText } from '../../text/console-text.ts'
import { Moment, RefusalNotice } from './work-parts.tsx'

export async function loader(args: LoaderFunctionArgs) {
  const page = pageOf(args)
  await requireStaff(page, ['system:write'])
  const deadLetterId = args.params.deadLetterId ?? ''
  return (await page.call('getDeadLetter', { params: { deadLetterId } })).data
}

// Once it is decided the letter is gone: reading it again would be a page that is not found.
export const shouldRevalidate = () => false

export async function action(args: ActionFunctionArgs) {
  const page = pageOf(args)
  await requireStaff(page, ['system:write'])
  const params = { deadLetterId: args.params.deadLetterId ?? '' }
  const form = await args.request.formData()
  const intent = textOf(form, 'intent') === 'discard' ? 'discard' : 'replay'
  try {
    if (intent === 'replay') await page.call('replayDeadLetter', { params })
    else await page.call('discardDeadLetter', { params, body: { reason: textOf(form, 'reason') } })
    return { decided: intent }
  } catch (error) {
    return data({ refusal: refusalOf(error) }, { status: 422 })
  }
}

export default function DeadLetter() {
  const letter = useLoaderData<typeof loader>()
  const { work } = useConsoleText()
  const { message, address, service, group, code, reason, attempts, deadAt, history } = letter
  return (
    <div className="stack">
      <p>
        <Link to="/console/dead-letters">{work.back}</Link>
      </p>
      <h1>{message.type ?? letter.id}</h1>
      <Decision />
      <dl className="work-facts">
        <dt>{work.consumer}</dt>
        <dd>{group ?? service}</dd>
        <dt>{work.where}</dt>
        <dd>{address.name}</dd>
        <dt>{work.subject}</dt>
        <dd>{message.subject ?? '–'}</dd>
        <dt>{work.reason}</dt>
        <dd>
          <code>{code}</code> {reason}
        </dd>
        <dt>{work.attempts}</dt>
        <dd>{attempts}</dd>
        <dt>{work.failedAt}</dt>
        <dd>
          <Moment at={deadAt} />
        </dd>
      </dl>
      <h2>{work.history}</h2>
      <ol className="part-list">
        {history.map((each) => (
          <li key={each.attempt}>
            <Moment at={each.at} /> <code>{each.code}</code> {each.reason}
          </li>
        ))}
      </ol>
      <h2>{work.body}</h2>
      <p className="muted small">{work.readIsAudited}</p>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard. */}
      <pre className="work-body" tabIndex={0}>
        {JSON.stringify(message, null, 2)}
      </pre>
    </div>
  )
}

function Decision() {
  const answer = useActionData<typeof action>()
  const { work } = useConsoleText()
  if (answer && 'decided' in answer) {
    return (
      <Notice tone="good">
        {answer.decided === 'replay' ? work.replayedOne : work.discarded}{' '}
        <Link to="/console/dead-letters">{work.back}</Link>
      </Notice>
    )
  }
  return (
    <>
      {answer && <RefusalNotice refusal={answer.refusal} />}
      <div className="work-decision panel">
        <Form method="post">
          <Button name="intent" value="replay">
            {work.replay}
          </Button>
        </Form>
        <Form method="post" className="stack">
          <TextArea
            label={work.why}
            name="reason"
            rows={2}
            maxLength={300}
            required
            hint={work.discardText}
          />
          <Button look="danger" name="intent" value="discard">
            {work.discard}
          </Button>
        </Form>
      </div>
    </>
  )
}
