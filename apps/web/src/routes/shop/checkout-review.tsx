import type { Cart } from '@halles/contracts/gen/http/carts'
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
import { Button, ButtonLink } from '../../design/Button.tsx'
import { Notice } from '../../design/Notice.tsx'
import { countriesIn } from '../../server/address.server.ts'
import { readCart } from '../../server/cart.server.ts'
import {
  buy,
  draftOf,
  placedBefore,
  quote,
  type Refused,
  type ShownPrices,
} from '../../server/checkout.server.ts'
import type { PlacedCheckout } from '../../server/checkout-draft.ts'
import { numberOf, textOf } from '../../server/form.server.ts'
import { languageCookie } from '../../server/language-cookie.server.ts'
import { type Page, pageDataOf, pageOf } from '../../server/page.server.ts'
import { formatMoney } from '../../text/format.ts'
import { useShopText } from '../../text/shop-text.ts'
import { useLanguage } from '../../text/use-language.ts'
import { AddressText } from './AddressText.tsx'
import './buying.css'
import { GoodsList } from './GoodsList.tsx'
import { personalMeta } from './meta.ts'
import { Steps } from './Steps.tsx'
import { TotalsList } from './TotalsList.tsx'
import { usePath } from './use-path.ts'

export async function loader(args: LoaderFunctionArgs) {
  const page = pageOf(args)
  const cart = await readCart(page)
  if (!cart || cart.lines.length === 0) throw redirect(page.path('/cart'))
  const draft = draftOf(page)
  if (!draft) throw redirect(page.path('/checkout'))
  const totals = await quote(page, cart, draft)
  const { key, address, email, method } = draft
  const countries = countriesIn(page.language)
  return { ...pageDataOf(page), cart, totals, key, address, email, method, countries }
}

export const meta = personalMeta<Awaited<ReturnType<typeof loader>>>(
  ({ checkoutPage }) => checkoutPage.review,
)

export async function action(args: ActionFunctionArgs) {
  const page = pageOf(args)
  const form = await args.request.formData()
  const key = textOf(form, 'key')
  const before = placedBefore(page, key)
  if (before) return goOn(page, before)
  const [cart, draft] = [await readCart(page), draftOf(page)]
  if (!cart || cart.lines.length === 0 || !draft) return redirect(page.path('/cart'))
  const total = {
    amountMinor: numberOf(form, 'totalMinor', { min: 0, max: 99_999_999_999, fallback: 0 }),
    currency: textOf(form, 'currency').slice(0, 3),
  }
  // A page that shows an older draft is shown anew: what is bought is what was seen.
  if (key !== draft.key) return redirect(page.path('/checkout/review'))
  const outcome = await buy(page, { cart, draft, key, total, shown: shownIn(form) })
  if ('orderId' in outcome) return goOn(page, outcome)
  const isAway = outcome.code === 'unavailable'
  return data(outcome, {
    status: isAway ? 503 : 409,
    headers: isAway ? { 'retry-after': '5' } : {},
  })
}

/** The prices that the page showed, for the difference: the basket may know the new ones by now. */
function shownIn(form: FormData): ShownPrices {
  const lines = form.getAll('shown').map((value) => String(value).split(' '))
  return new Map(lines.map(([variantId = '', amountMinor]) => [variantId, Number(amountMinor)]))
}

/** To where it is paid. The way back from there has no language in it, so a cookie keeps it. */
function goOn(page: Page, { orderId, redirectUrl }: PlacedCheckout) {
  const cookie = languageCookie(page.language, page.visit.publicUrl)
  const to = redirectUrl ?? page.path(`/orders/${orderId}?placed=1`)
  return redirect(to, { headers: { 'set-cookie': cookie } })
}

export default function Review() {
  const { cart, key, address, email, method, countries, ...loaded } = useLoaderData<typeof loader>()
  const refused = useActionData<typeof action>()
  const { checkoutPage: text } = useShopText()
  const language = useLanguage()
  const path = usePath()
  const totals = refused?.totals ?? loaded.totals
  const total = formatMoney(totals.total, language)
  const lines = priced(cart, refused)
  return (
    <div className="inside stack shop-page">
      <Steps at="review" />
      <h1>{text.review}</h1>
      {refused && <Refusal refused={refused} now={total} />}
      <div className="cart">
        <div className="stack">
          <section className="panel stack" aria-labelledby="goods">
            <div className="section-head">
              <h2 id="goods">{text.goods}</h2>
              <Link to={path('/cart')}>{text.changeBasket}</Link>
            </div>
            <GoodsList lines={lines} />
          </section>
          <section className="panel stack" aria-labelledby="to">
            <div className="section-head">
              <h2 id="to">{text.address}</h2>
              <Link to={path('/checkout')}>{text.change}</Link>
            </div>
            <AddressText address={address} countries={countries} />
            {email !== '' && <p className="muted">{email}</p>}
            <p className="muted">{text.methods[method]}</p>
          </section>
        </div>
        <aside className="panel stack cart-sum">
          <TotalsList totals={totals} />
          {/* A document's own form, so that the way to the payment is the same without scripts. */}
          <Form method="post" reloadDocument className="stack">
            <input type="hidden" name="key" value={key} />
            <input type="hidden" name="totalMinor" value={totals.total.amountMinor} />
            <input type="hidden" name="currency" value={totals.total.currency} />
            {lines.map(({ variantId, unitPrice }) => (
              <input
                key={variantId}
                type="hidden"
                name="shown"
                value={`${variantId} ${unitPrice.amountMinor}`}
              />
            ))}
            <Button size="large">
              {refused?.totals ? text.buyChanged(total) : text.buy(total)}
            </Button>
          </Form>
          {method === 'online' && <p className="muted small">{text.buyNote}</p>}
        </aside>
      </div>
    </div>
  )
}

/** The lines at the price of now, with what was shown before where it differs. */
function priced({ lines }: Cart, refused: Refused | undefined) {
  const changes = new Map(refused?.changed.map((change) => [change.variantId, change]))
  return lines.map((line) => {
    const change = changes.get(line.variantId)
    const unitPrice = change?.now ?? line.unitPrice
    const was = change?.was ?? line.unitPriceWhenAdded
    const total = { ...unitPrice, amountMinor: unitPrice.amountMinor * line.quantity }
    return { ...line, unitPrice, was, total }
  })
}

function Refusal({ refused, now }: { refused: Refused; now: string }) {
  const { checkoutPage: text, errors } = useShopText()
  const language = useLanguage()
  const path = usePath()
  const { code, shown, changed, short } = refused
  if (code === 'PRICE_CHANGED' && shown) {
    return (
      <Notice tone="bad">
        <h2>{text.changedTitle}</h2>
        <p>{text.changedText(formatMoney(shown, language), now)}</p>
        <ul>
          {changed.map(({ variantId, title, was, now: price }) => (
            <li key={variantId}>
              {text.changedLine(title, formatMoney(was, language), formatMoney(price, language))}
            </li>
          ))}
        </ul>
      </Notice>
    )
  }
  if (short.length > 0) {
    return (
      <Notice tone="bad">
        <h2>{text.shortTitle}</h2>
        <ul>
          {short.map(({ variantId, title, asked, left }) => (
            <li key={variantId}>{text.shortLine(title, asked, left)}</li>
          ))}
        </ul>
        <ButtonLink look="quiet" to={path('/cart')}>
          {text.shortAction}
        </ButtonLink>
      </Notice>
    )
  }
  return (
    <Notice tone="bad">
      {code === 'unavailable' ? text.unavailable : (errors[code] ?? errors.other)}
    </Notice>
  )
}
