import type { WishlistItem } from '@halles/contracts/gen/http/wishlists'
import {
  type ActionFunctionArgs,
  data,
  Form,
  Link,
  type LoaderFunctionArgs,
  redirect,
  useActionData,
  useLoaderData,
} from 'react-router'
import { Badge } from '../../design/Badge.tsx'
import { Button, ButtonLink } from '../../design/Button.tsx'
import { EmptyState } from '../../design/EmptyState.tsx'
import { Money } from '../../design/Money.tsx'
import { Notice } from '../../design/Notice.tsx'
import { Picture } from '../../design/Picture.tsx'
import { type Refusal, refusalOf, textOf } from '../../server/form.server.ts'
import { pageDataOf, pageOf, safeNext, signInPath } from '../../server/page.server.ts'
import { formatDate, formatMoney } from '../../text/format.ts'
import { useShopText } from '../../text/shop-text.ts'
import { useLanguage } from '../../text/use-language.ts'
import './buying.css'
import { personalMeta } from './meta.ts'
import { usePath } from './use-path.ts'
import { variantName } from './variant-name.ts'

export async function loader(args: LoaderFunctionArgs) {
  const page = pageOf(args)
  if (!page.visit.isSignedIn) throw redirect(signInPath(page))
  const { data: wishlist } = await page.call('getWishlist', {})
  return { ...pageDataOf(page), items: wishlist.items }
}

export const meta = personalMeta<Awaited<ReturnType<typeof loader>>>(({ wishes }) => wishes.title)

/** `wish` is `keep` or `drop`; the variant comes from the form of a product or of the list. */
export async function action(args: ActionFunctionArgs) {
  const page = pageOf(args)
  const form = await args.request.formData()
  const variantId = textOf(form, 'variantId')
  const refused = (refusal: Refusal) => data({ refusal }, { status: 422 })
  if (!/^[0-9a-f-]{36}$/i.test(variantId)) return refused({ code: 'VARIANT_NOT_FOUND', fields: [] })
  if (!page.visit.isSignedIn) {
    // Back to the product afterwards, where the wish is one click away.
    const next = safeNext(form.get('from'), page.path('/wishlist'))
    return redirect(`${page.path('/sign-in')}?${new URLSearchParams({ next })}`)
  }
  const isDropped = textOf(form, 'wish') === 'drop'
  try {
    await page.call(isDropped ? 'removeWishlistItem' : 'putWishlistItem', { params: { variantId } })
  } catch (error) {
    return refused(refusalOf(error))
  }
  return form.has('stay') ? { kept: true } : redirect(page.path('/wishlist'))
}

export default function Wishlist() {
  const { items } = useLoaderData<typeof loader>()
  const answer = useActionData<typeof action>()
  const { wishes: text, ...words } = useShopText()
  const path = usePath()
  const refusal = answer && 'refusal' in answer ? answer.refusal : undefined
  return (
    <div className="inside stack shop-page">
      <h1>{text.title}</h1>
      {refusal && <Notice tone="bad">{words.errors[refusal.code] ?? words.errors.other}</Notice>}
      {items.length === 0 ? (
        <EmptyState
          title={text.empty}
          text={text.emptyText}
          action={<ButtonLink to={path('/search')}>{words.goShopping}</ButtonLink>}
        />
      ) : (
        <ul className="cart-lines">
          {items.map((item) => (
            <li key={item.variantId}>
              <Wish item={item} />
            </li>
          ))}
        </ul>
      )}
    </div>
  )
}

function Wish({ item }: { item: WishlistItem }) {
  const { wishes: text, former, availability: stock, ...words } = useShopText()
  const language = useLanguage()
  const path = usePath()
  const { variantId, productId, title, variantTitle, price, priceWhenAdded, availability } = item
  const was = formatMoney(priceWhenAdded, language)
  const difference = price.amountMinor - priceWhenAdded.amountMinor
  return (
    <article className="wish">
      <Picture of={{ name: title }} size={96} />
      <div className="cart-line-words">
        <h2>
          <Link to={path(`/products/${productId}`)}>{title}</Link>
        </h2>
        {variantName(variantTitle) && <p className="muted small">{variantTitle}</p>}
        <p>
          <Money value={price} was={priceWhenAdded} wasLabel={former} />
        </p>
        {difference !== 0 && (
          <p className="cart-change" data-fell={difference < 0 || undefined}>
            {difference < 0 ? text.fell(was) : text.rose(was)}
          </p>
        )}
        <p className="muted small">{text.since(formatDate(item.addedAt, language))}</p>
        {availability !== 'in_stock' && (
          <Badge tone={availability === 'low_stock' ? 'warn' : 'bad'}>{stock[availability]}</Badge>
        )}
      </div>
      <div className="row">
        {availability !== 'out_of_stock' && (
          <Form method="post" action={path('/cart')}>
            <input type="hidden" name="variantId" value={variantId} />
            <Button look="quiet" name="intent" value="add" aria-label={text.toBasketOne(title)}>
              {words.addToCart}
            </Button>
          </Form>
        )}
        <Form method="post">
          <input type="hidden" name="variantId" value={variantId} />
          <Button look="plain" name="wish" value="drop" aria-label={text.dropOne(title)}>
            {text.drop}
          </Button>
        </Form>
      </div>
    </article>
  )
}
