import {
  Form,
  type LoaderFunctionArgs,
  type MetaFunction,
  redirect,
  useLoaderData,
} from 'react-router'
import { Button } from '../../design/Button.tsx'
import { Notice } from '../../design/Notice.tsx'
import { attempt, pageOf, signInPath } from '../../server/page.server.ts'
import { formatDate } from '../../text/format.ts'
import { shopText, useShopText } from '../../text/shop-text.ts'
import { metaOf } from './meta.ts'
import { usePath } from './use-path.ts'

export async function loader(args: LoaderFunctionArgs) {
  const page = pageOf(args)
  if (!page.visit.isSignedIn) throw redirect(signInPath(page))
  const { data: me } = await attempt(page.call('getMe', {}))
  const { language, url, visit } = page
  return { language, url: `${visit.publicUrl}${url.pathname}`, me: me?.data ?? null }
}

export const meta: MetaFunction<typeof loader> = ({ loaderData }) => {
  if (!loaderData) return []
  const text = shopText(loaderData.language)
  return metaOf({ ...loaderData, title: `${text.account} · ${text.name}`, isPersonal: true })
}

export default function Account() {
  const { me, language } = useLoaderData<typeof loader>()
  const text = useShopText()
  const path = usePath()
  return (
    <div className="inside narrow stack">
      <h1>{text.account}</h1>
      {me ? (
        <div className="panel stack">
          <p>
            <strong>{me.name}</strong>
            <br />
            {me.email}
          </p>
          <p className="muted small">{text.memberSince(formatDate(me.createdAt, language))}</p>
        </div>
      ) : (
        <Notice tone="warn">{text.accountAway}</Notice>
      )}
      <Form method="post" action={path('/sign-out')} reloadDocument>
        <Button look="quiet">{text.signOut}</Button>
      </Form>
    </div>
  )
}
