import {
  type ActionFunctionArgs,
  data,
  type LoaderFunctionArgs,
  type MetaFunction,
  redirect,
  useActionData,
  useLoaderData,
} from 'react-router'
import { ButtonLink } from '../../design/Button.tsx'
import { EmptyState } from '../../design/EmptyState.tsx'
import { Money } from '../../design/Money.tsx'
import { Notice } from '../../design/Notice.tsx'
import { addToCart, readCart, setQuantity } from '../../server/cart.server.ts'
import { numberOf, type Refusal, refusalOf, textOf } from '../../server/form.server.ts'
import { pageOf } from '../../server/page.server.ts'
import type { PageHandle } from '../../start.tsx'
import { shopText, useShopText } from '../../text/shop-text.ts'
import { CartLines } from './CartLines.tsx'
import { metaOf } from './meta.ts'
import { useLiveCart } from './use-live-cart.ts'
import { usePath } from './use-path.ts'

// It follows the prices, so it does not wait for its visitor.
export const handle: PageHandle = { startsNow: true }

export async function loader(args: LoaderFunctionArgs) {
  const page = pageOf(args)
  const cart = await readCart(page)
  const { language, url, visit } = page
  return { language, url: `${visit.publicUrl}${url.pathname}`, cart: cart ?? null }
}

export const meta: MetaFunction<typeof loader> = ({ loaderData }) => {
  if (!loaderData) return []
  const text = shopText(loaderData.language)
  return metaOf({ ...loaderData, title: `${text.cartTitle} · ${text.name}`, isPersonal: true })
}

/** `add`, `set` or `remove` of one variant; answers with data where the page stays as it is. */
export async function action(args: ActionFunctionArgs) {
  const page = pageOf(args)
  const form = await args.request.formData()
  const intent = textOf(form, 'intent')
  const variantId = textOf(form, 'variantId')
  const bounds = { min: intent === 'add' ? 1 : 0, max: 999, fallback: 1 }
  const quantity = intent === 'remove' ? 0 : numberOf(form, 'quantity', bounds)
  const refused = (refusal: Refusal) => data({ refusal }, { status: 422 })
  if (!/^[0-9a-f-]{36}$/i.test(variantId)) return refused({ code: 'VARIANT_NOT_FOUND', fields: [] })
  try {
    const change = intent === 'add' ? addToCart : setQuantity
    await change(page, { variantId, quantity })
  } catch (error) {
    return refused(refusalOf(error))
  }
  return form.has('stay') ? { refusal: undefined } : redirect(page.path('/cart'))
}

export default function CartPage() {
  const loaded = useLoaderData<typeof loader>()
  const refusal = useActionData<typeof action>()?.refusal
  const { cart, hasChanged, isLive } = useLiveCart(loaded.cart)
  const text = useShopText()
  const path = usePath()
  if (!cart || cart.lines.length === 0) {
    return (
      <div className="inside">
        <EmptyState
          level="h1"
          title={text.cartEmpty}
          text={text.cartEmptyText}
          action={<ButtonLink to={path('/search')}>{text.goShopping}</ButtonLink>}
        />
      </div>
    )
  }
  return (
    <div className="inside stack shop-page">
      <h1 className="page-title">{text.cartTitle}</h1>
      {refusal && <Notice tone="bad">{text.errors[refusal.code] ?? text.errors.other}</Notice>}
      <div aria-live="polite">{hasChanged && <Notice tone="warn">{text.priceChanged}</Notice>}</div>
      <div className="cart">
        <CartLines lines={cart.lines} />
        <aside className="panel stack cart-sum" aria-label={text.total}>
          {cart.total && (
            <p className="cart-total">
              <span>{text.total}</span>
              <strong>
                <Money value={cart.total} />
              </strong>
            </p>
          )}
          <p className="muted small">{text.totalNote}</p>
          <ButtonLink size="large" to={path('/checkout')}>
            {text.checkout}
          </ButtonLink>
          {isLive && <p className="cart-live small muted">{text.live}</p>}
        </aside>
      </div>
    </div>
  )
}
