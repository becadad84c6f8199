import {
  type ActionFunctionArgs,
  data,
  Form,
  Link,
  type LoaderFunctionArgs,
  type MetaFunction,
  redirect,
  useActionData,
  useSearchParams,
} from 'react-router'
import { Button } from '../../design/Button.tsx'
import { Field } from '../../design/Field.tsx'
import { Notice } from '../../design/Notice.tsx'
import { refusalOf, textOf } from '../../server/form.server.ts'
import { pageOf, safeNext } from '../../server/page.server.ts'
import { signInWhenKnown } from '../../server/sign-in.server.ts'
import { shopText, useShopText } from '../../text/shop-text.ts'
import { metaOf } from './meta.ts'
import { usePath } from './use-path.ts'

export function loader(args: LoaderFunctionArgs) {
  const { language, url, visit } = pageOf(args)
  return { language, url: `${visit.publicUrl}${url.pathname}` }
}

export const meta: MetaFunction<typeof loader> = ({ loaderData }) => {
  if (!loaderData) return []
  const text = shopText(loaderData.language)
  return metaOf({ ...loaderData, title: `${text.signUp} · ${text.name}`, isPersonal: true })
}

export async function action(args: ActionFunctionArgs) {
  const page = pageOf(args)
  const form = await args.request.formData()
  const given = { name: textOf(form, 'name'), email: textOf(form, 'email') }
  const password = String(form.get('password') ?? '')
  const next = safeNext(page.url.searchParams.get('next'), page.path('/'))
  try {
    await page.call('signUp', { body: { ...given, password } })
    if (await signInWhenKnown(page, { email: given.email, password })) return redirect(next)
  } catch (error) {
    const { code, fields } = refusalOf(error)
    return data({ code, fields, ...given }, { status: code === 'unavailable' ? 503 : 422 })
  }
  const search = new URLSearchParams({ new: '1', email: given.email, next })
  return redirect(`${page.path('/sign-in')}?${search}`)
}

export default function SignUp() {
  const refused = useActionData<typeof action>()
  const [search] = useSearchParams()
  const text = useShopText()
  const path = usePath()
  const wrong = (field: 'name' | 'email' | 'password') =>
    refused?.fields.includes(field) ? text.invalid[field] : undefined
  return (
    <div className="inside narrow stack">
      <h1>{text.signUpTitle}</h1>
      <p className="muted">{text.signUpText}</p>
      {refused && <Notice tone="bad">{text.errors[refused.code] ?? text.errors.other}</Notice>}
      <Form className="panel stack" method="post" reloadDocument>
        <Field
          label={text.fullName}
          name="name"
          autoComplete="name"
          required
          maxLength={100}
          defaultValue={refused?.name ?? ''}
          error={wrong('name')}
        />
        <Field
          label={text.email}
          name="email"
          type="email"
          autoComplete="username"
          required
          maxLength={254}
          defaultValue={refused?.email ?? ''}
          error={wrong('email')}
        />
        <Field
          label={text.password}
          hint={text.passwordHint}
          name="password"
          type="password"
          autoComplete="new-password"
          required
          minLength={8}
          maxLength={128}
          error={wrong('password')}
        />
        <Button size="large">{text.signUpAction}</Button>
      </Form>
      <p>
        {text.hasAccount} <Link to={`${path('/sign-in')}?${search}`}>{text.signIn}</Link>
      </p>
    </div>
  )
}
