import {
  type ActionFunctionArgs,
  data,
  Form,
  type LoaderFunctionArgs,
  redirect,
  useActionData,
  useSearchParams,
} from 'react-router'
import { Button, ButtonLink } from '../../design/Button.tsx'
import { Field } from '../../design/Field.tsx'
import { Notice } from '../../design/Notice.tsx'
import { refusalOf } from '../../server/form.server.ts'
import { pageDataOf, pageOf, signInPath } from '../../server/page.server.ts'
import { useShopText } from '../../text/shop-text.ts'
import { AccountFrame } from './AccountFrame.tsx'
import { personalMeta } from './meta.ts'
import { usePath } from './use-path.ts'

export function loader(args: LoaderFunctionArgs) {
  const page = pageOf(args)
  if (!page.visit.isSignedIn) throw redirect(signInPath(page))
  return pageDataOf(page)
}

export const meta = personalMeta<ReturnType<typeof loader>>(({ account }) => account.data)

/** Erases the account; a tick and the password say that it is meant. */
export async function action(args: ActionFunctionArgs) {
  const page = pageOf(args)
  const form = await args.request.formData()
  if (!form.has('sure')) return data({ code: 'INVALID_INPUT' }, { status: 422 })
  const currentPassword = String(form.get('currentPassword') ?? '')
  try {
    await page.call('eraseMe', { body: { currentPassword } })
  } catch (error) {
    const { code } = refusalOf(error)
    return data({ code }, { status: code === 'unavailable' ? 503 : 422 })
  }
  await page.visit.signOut()
  return redirect(page.path('/erased'))
}

export default function AccountData() {
  const refused = useActionData<typeof action>()
  const [search] = useSearchParams()
  const { account: text, errors } = useShopText()
  const path = usePath()
  return (
    <AccountFrame>
      {search.has('away') && <Notice tone="bad">{text.exportAway}</Notice>}
      <section className="panel stack" aria-labelledby="export">
        <h2 id="export">{text.exportTitle}</h2>
        <p>{text.exportText}</p>
        <p>
          <ButtonLink look="quiet" reloadDocument to={path('/account/export')}>
            {text.exportAction}
          </ButtonLink>
        </p>
      </section>
      <section className="panel stack" aria-labelledby="erase">
        <h2 id="erase">{text.eraseTitle}</h2>
        <p>{text.eraseText}</p>
        {refused && <Notice tone="bad">{errors[refused.code] ?? errors.other}</Notice>}
        <Form method="post" reloadDocument className="stack">
          <Field
            label={text.currentPassword}
            name="currentPassword"
            type="password"
            autoComplete="current-password"
            required
            maxLength={128}
          />
          <label className="check">
            <input type="checkbox" name="sure" value="1" required /> {text.eraseSure}
          </label>
          <p>
            <Button look="danger">{text.eraseAction}</Button>
          </p>
        </Form>
      </section>
    </AccountFrame>
  )
}
