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
import { Badge } from '../../design/Badge.tsx'
import { Button } from '../../design/Button.tsx'
import { Field } from '../../design/Field.tsx'
import { Notice } from '../../design/Notice.tsx'
import { refusalOf, textOf } from '../../server/form.server.ts'
import { attempt, type Page, pageDataOf, pageOf, signInPath } from '../../server/page.server.ts'
import { signInWhenKnown } from '../../server/sign-in.server.ts'
import { formatDate } from '../../text/format.ts'
import { useShopText } from '../../text/shop-text.ts'
import { AccountFrame } from './AccountFrame.tsx'
import { personalMeta } from './meta.ts'

export async function loader(args: LoaderFunctionArgs) {
  const page = pageOf(args)
  if (!page.visit.isSignedIn) throw redirect(signInPath(page))
  const [{ data: me }, { data: sessions }] = await Promise.all([
    attempt(page.call('getMe', {})),
    attempt(page.call('listSessions', {})),
  ])
  const email = me?.data.email ?? null
  return { ...pageDataOf(page), email, sessions: sessions?.data.items ?? null }
}

export const meta = personalMeta<Awaited<ReturnType<typeof loader>>>(
  ({ account }) => account.security,
)

/** `password`, `email`, `session` or `everywhere`. */
export async function action(args: ActionFunctionArgs) {
  const page = pageOf(args)
  const form = await args.request.formData()
  const intent = textOf(form, 'intent')
  try {
    if (intent === 'everywhere') return await signOutEverywhere(page)
    if (intent === 'session') {
      await page.call('endSession', { params: { sessionId: textOf(form, 'sessionId') } })
      return redirect(page.path('/account/security'))
    }
    return await (intent === 'email' ? changeEmail(page, form) : changePassword(page, form))
  } catch (error) {
    const { code, fields } = refusalOf(error)
    return data({ code, fields, intent }, { status: code === 'unavailable' ? 503 : 422 })
  }
}

async function signOutEverywhere(page: Page) {
  await page.call('signOutEverywhere', {})
  await page.visit.signOut()
  return redirect(page.path('/sign-in'))
}

/** Ends every session, this one too: its visitor gets another, as soon as auth knows the password. */
async function changePassword(page: Page, form: FormData) {
  const currentPassword = String(form.get('currentPassword') ?? '')
  const newPassword = String(form.get('newPassword') ?? '')
  const { data: me } = await page.call('getMe', {})
  await page.call('changePassword', { body: { currentPassword, newPassword } })
  if (await signInWhenKnown(page, { email: me.email, password: newPassword })) {
    return redirect(page.path('/account/security?done=password'))
  }
  const query = new URLSearchParams({ ended: '1', email: me.email, next: page.path('/account') })
  return redirect(`${page.path('/sign-in')}?${query}`)
}

async function changeEmail(page: Page, form: FormData) {
  const currentPassword = String(form.get('currentPassword') ?? '')
  await page.call('changeEmail', { body: { email: textOf(form, 'email'), currentPassword } })
  return redirect(page.path('/account/security?done=email'))
}

export default function Security() {
  const [search] = useSearchParams()
  const { account: text } = useShopText()
  const done = search.get('done')
  const refused = useActionData<typeof action>()
  return (
    <AccountFrame>
      {!refused && done === 'password' && <Notice tone="good">{text.passwordChanged}</Notice>}
      {!refused && done === 'email' && <Notice tone="good">{text.emailChanged}</Notice>}
      <PasswordForm />
      <EmailForm />
      <Sessions />
    </AccountFrame>
  )
}

/** What a form was refused for, and which of its fields are wrong. */
function useRefusal(intent: 'password' | 'email') {
  const refused = useActionData<typeof action>()
  const { errors } = useShopText()
  const own = refused?.intent === intent ? refused : undefined
  const message = own && (errors[own.code] ?? errors.other)
  return { message, isWrong: (field: string) => own?.fields.includes(field) ?? false }
}

function PasswordForm() {
  const { account: text, ...words } = useShopText()
  const { message, isWrong } = useRefusal('password')
  return (
    <section className="panel stack" aria-labelledby="password">
      <h2 id="password">{text.passwordTitle}</h2>
      <p className="muted">{text.passwordText}</p>
      {message && <Notice tone="bad">{message}</Notice>}
      <Form method="post" reloadDocument className="stack">
        <input type="hidden" name="intent" value="password" />
        <Field
          label={text.currentPassword}
          name="currentPassword"
          type="password"
          autoComplete="current-password"
          required
          maxLength={128}
          error={isWrong('currentPassword') ? words.errors.WRONG_PASSWORD : undefined}
        />
        <Field
          label={text.newPassword}
          hint={words.passwordHint}
          name="newPassword"
          type="password"
          autoComplete="new-password"
          required
          minLength={8}
          maxLength={128}
          error={isWrong('newPassword') ? words.invalid.password : undefined}
        />
        <Button>{text.changePassword}</Button>
      </Form>
    </section>
  )
}

function EmailForm() {
  const { email } = useLoaderData<typeof loader>()
  const { account: text, ...words } = useShopText()
  const { message, isWrong } = useRefusal('email')
  return (
    <section className="panel stack" aria-labelledby="email">
      <h2 id="email">{text.emailTitle}</h2>
      {email === null ? (
        <Notice tone="warn">{words.problem.away.customers}</Notice>
      ) : (
        <p className="muted">{text.emailText(email)}</p>
      )}
      {message && <Notice tone="bad">{message}</Notice>}
      <Form method="post" reloadDocument className="stack">
        <input type="hidden" name="intent" value="email" />
        <Field
          label={text.newEmail}
          name="email"
          type="email"
          autoComplete="email"
          required
          maxLength={254}
          error={isWrong('email') ? words.invalid.email : undefined}
        />
        <Field
          label={text.currentPassword}
          name="currentPassword"
          type="password"
          autoComplete="current-password"
          required
          maxLength={128}
          error={isWrong('currentPassword') ? words.errors.WRONG_PASSWORD : undefined}
        />
        <Button>{text.changeEmail}</Button>
      </Form>
    </section>
  )
}

function Sessions() {
  const { sessions, language } = useLoaderData<typeof loader>()
  const { account: text } = useShopText()
  return (
    <section className="panel stack" aria-labelledby="sessions">
      <h2 id="sessions">{text.sessionsTitle}</h2>
      <p>{text.sessionsText}</p>
      {sessions === null && <Notice tone="warn">{text.sessionsAway}</Notice>}
      <ul className="session-list">
        {sessions?.map(({ id, device, lastUsedAt, isCurrent }) => (
          <li key={id} className="order-item">
            <span>
              <strong>{text.session(device ?? '')}</strong>
              <span className="muted small block">
                {text.sessionUsed(formatDate(lastUsedAt, language))}
              </span>
            </span>
            {isCurrent ? (
              <Badge tone="good">{text.sessionHere}</Badge>
            ) : (
              <Form method="post">
                <input type="hidden" name="sessionId" value={id} />
                <Button
                  look="plain"
                  name="intent"
                  value="session"
                  aria-label={text.sessionEndOf(device ?? '')}
                >
                  {text.sessionEnd}
                </Button>
              </Form>
            )}
          </li>
        ))}
      </ul>
      <Form method="post" reloadDocument>
        <Button look="quiet" name="intent" value="everywhere">
          {text.everywhere}
        </Button>
      </Form>
    </section>
  )
}
