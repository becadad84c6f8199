import {
  type ActionFunctionArgs,
  data,
  Form,
  type LoaderFunctionArgs,
  redirect,
  useActionData,
  useLoaderData,
  useSearchParams,
} from 'react-router'
import { Button } from '../../design/Button.tsx'
import { Field } from '../../design/Field.tsx'
import { Notice } from '../../design/Notice.tsx'
import { refusalOf, textOf } from '../../server/form.server.ts'
import { attempt, pageDataOf, pageOf, signInPath } from '../../server/page.server.ts'
import { formatDate } from '../../text/format.ts'
import { useShopText } from '../../text/shop-text.ts'
import { AccountFrame } from './AccountFrame.tsx'
import { personalMeta } from './meta.ts'
import { usePath } from './use-path.ts'

export async function loader(args: LoaderFunctionArgs) {
  const page = pageOf(args)
  if (!page.visit.isSignedIn) throw redirect(signInPath(page))
  const { data: me } = await attempt(page.call('getMe', {}))
  return { ...pageDataOf(page), me: me?.data ?? null, etag: me?.etag ?? '' }
}

export const meta = personalMeta<Awaited<ReturnType<typeof loader>>>(
  ({ yourAccount }) => yourAccount,
)

export async function action(args: ActionFunctionArgs) {
  const page = pageOf(args)
  const form = await args.request.formData()
  const name = textOf(form, 'name')
  const etag = textOf(form, 'etag')
  try {
    await page.call('updateMe', {
      body: { name },
      headers: etag === '' ? {} : { 'if-match': etag },
    })
  } catch (error) {
    return data({ ...refusalOf(error), name }, { status: 422 })
  }
  await page.visit.keep(({ secrets }) => ({ secrets: { ...secrets, name } }))
  return redirect(page.path('/account?saved=1'))
}

export default function Account() {
  const { me, etag, language } = useLoaderData<typeof loader>()
  const refused = useActionData<typeof action>()
  const [search] = useSearchParams()
  const { account: text, ...words } = useShopText()
  const path = usePath()
  return (
    <AccountFrame>
      {search.has('saved') && !refused && <Notice tone="good">{text.saved}</Notice>}
      {refused && <Notice tone="bad">{words.errors[refused.code] ?? words.errors.other}</Notice>}
      {me ? (
        <Form method="post" className="panel stack">
          <input type="hidden" name="etag" value={etag} />
          <Field
            label={words.fullName}
            name="name"
            autoComplete="name"
            required
            maxLength={100}
            defaultValue={refused?.name ?? me.name}
            error={refused?.fields.includes('name') ? words.invalid.name : undefined}
          />
          <p>{me.email}</p>
          <p className="muted small">{words.memberSince(formatDate(me.createdAt, language))}</p>
          <Button>{text.save}</Button>
        </Form>
      ) : (
        <Notice tone="warn">{words.accountAway}</Notice>
      )}
      <Form method="post" action={path('/sign-out')} reloadDocument>
        <Button look="quiet">{words.signOut}</Button>
      </Form>
    </AccountFrame>
  )
}
