import {
  type ActionFunctionArgs,
  data,
  Form,
  Link,
  type LoaderFunctionArgs,
  type MetaFunction,
  redirect,
  useActionData,
  useLoaderData,
  useSearchParams,
} from 'react-router'
import { Button } from '../../design/Button.tsx'
import { Field } from '../../design/Field.tsx'
import { Notice } from '../../design/Notice.tsx'
import { refusalOf, textOf } from '../../server/form.server.ts'
import { pageOf, safeNext } from '../../server/page.server.ts'
import { signIn } from '../../server/sign-in.server.ts'
import { shopText, useShopText } from '../../text/shop-text.ts'
import { metaOf } from './meta.ts'
import { usePath } from './use-path.ts'

export function loader(args: LoaderFunctionArgs) {
  const page = pageOf(args)
  const next = safeNext(page.url.searchParams.get('next'), page.path('/'))
  if (page.visit.isSignedIn) throw redirect(next)
  const { language, url, visit } = page
  return { language, url: `${visit.publicUrl}${url.pathname}` }
}

export const meta: MetaFunction<typeof loader> = ({ loaderData }) => {
  if (!loaderData) return []
  const text = shopText(loaderData.language)
  return metaOf({ ...loaderData, title: `${text.signIn} · ${text.name}`, isPersonal: true })
}

export async function action(args: ActionFunctionArgs) {
  const page = pageOf(args)
  const form = await args.request.formData()
  const email = textOf(form, 'email')
  try {
    await signIn(page, { email, password: String(form.get('password') ?? '') })
  } catch (error) {
    const { code, fields } = refusalOf(error)
    return data({ code, fields, email }, { status: code === 'unavailable' ? 503 : 422 })
  }
  return redirect(safeNext(page.url.searchParams.get('next'), page.path('/')))
}

export default function SignIn() {
  useLoaderData<typeof loader>()
  const refused = useActionData<typeof action>()
  const [search] = useSearchParams()
  const text = useShopText()
  const path = usePath()
  return (
    <div className="inside narrow stack">
      <h1>{text.signInTitle}</h1>
      <p className="muted">{text.signInText}</p>
      {search.has('ended') && <Notice tone="warn">{text.sessionEnded}</Notice>}
      {search.has('new') && <Notice tone="good">{text.accountReady}</Notice>}
      {refused && <Notice tone="bad">{text.errors[refused.code] ?? text.errors.other}</Notice>}
      <Form className="panel stack" method="post" reloadDocument>
        <Field
          label={text.email}
          name="email"
          type="email"
          autoComplete="username"
          required
          maxLength={254}
          defaultValue={refused?.email ?? search.get('email') ?? ''}
        />
        <Field
          label={text.password}
          name="password"
          type="password"
          autoComplete="current-password"
          required
          maxLength={128}
        />
        <Button size="large">{text.signInAction}</Button>
      </Form>
      <p>
        {text.noAccount} <Link to={`${path('/sign-up')}?${search}`}>{text.signUp}</Link>
      </p>
    </div>
  )
}
