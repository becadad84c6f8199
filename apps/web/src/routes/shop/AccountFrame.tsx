import type { ReactNode } from 'react'
import { Tabs } from '../../design/Tabs.tsx'
import { useShopText } from '../../text/shop-text.ts'
import './buying.css'
import { usePath } from './use-path.ts'

/** What the pages of an account have around them. */
export function AccountFrame({ children }: { children: ReactNode }) {
  const { account: text, yourAccount, orders, wishlist } = useShopText()
  const path = usePath()
  return (
    <div className="inside narrow stack">
      <h1>{yourAccount}</h1>
      <Tabs
        label={text.parts}
        tabs={[
          { to: path('/account'), label: text.profile },
          { to: path('/account/addresses'), label: text.addresses },
          { to: path('/account/security'), label: text.security },
          { to: path('/account/data'), label: text.data },
          { to: path('/orders'), label: orders },
          { to: path('/wishlist'), label: wishlist },
        ]}
      />
      {children}
    </div>
  )
}
