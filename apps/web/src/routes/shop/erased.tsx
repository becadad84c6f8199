import type { LoaderFunctionArgs } from 'react-router'
import { ButtonLink } from '../../design/Button.tsx'
import { EmptyState } from '../../design/EmptyState.tsx'
import { pageDataOf, pageOf } from '../../server/page.server.ts'
import { useShopText } from '../../text/shop-text.ts'
import { personalMeta } from './meta.ts'
import { usePath } from './use-path.ts'

export const loader = (args: LoaderFunctionArgs) => pageDataOf(pageOf(args))

export const meta = personalMeta<ReturnType<typeof loader>>(({ account }) => account.erased)

export default function Erased() {
  const { account: text, goShopping } = useShopText()
  const path = usePath()
  return (
    <div className="inside">
      <EmptyState
        level="h1"
        title={text.erased}
        text={text.erasedText}
        action={<ButtonLink to={path('/')}>{goShopping}</ButtonLink>}
      />
    </div>
  )
}
